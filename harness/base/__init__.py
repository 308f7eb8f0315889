"""What everyone stands on: errors, units, rounding, statistics, a user's YAML, and what a month's traffic is."""
