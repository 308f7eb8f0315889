"""Records -> figures: windows, steady state, saturation, steps; what servers and GPUs say."""
