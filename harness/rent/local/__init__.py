"""A box that is a folder and a group of processes on this machine: everything a rented one does but the renting."""
