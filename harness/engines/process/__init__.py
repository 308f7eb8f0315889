"""A process that never outlives us."""
