"""The contract between the halves: what a run leaves in its directory, written and read back."""
