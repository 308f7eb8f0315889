"""The whole way: measure into a run directory, analyse one, calibrate this machine."""
