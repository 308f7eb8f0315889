"""What everyone stands on: errors, units, statistics, and a user's YAML."""
