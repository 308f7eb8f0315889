"""The parent: starts the load processes, conducts the steps, shows how it goes."""
