"""The small real model that comes in a package, and its files."""
