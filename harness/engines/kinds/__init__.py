"""The engines, one module each, and how they are installed."""
