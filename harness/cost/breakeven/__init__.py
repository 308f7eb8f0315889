"""The money alone: decision inputs in, the staircase, the verdict and its words out."""
