"""Runs side by side, and runs pooled."""
