"""Prices with source and date: instances by the hour, API models by the token. Never the network."""
