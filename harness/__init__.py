"""Breakeven: what a self-hosted LLM really serves, and when it beats an API."""

__version__ = "0.1.0"
