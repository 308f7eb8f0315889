"""Which GPUs this machine has, and which of them an engine is given."""
