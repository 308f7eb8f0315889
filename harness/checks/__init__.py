"""Is the measurement to be trusted? Findings are data; the report renders them, the exit code follows."""
