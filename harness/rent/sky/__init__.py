"""Boxes on any cloud that SkyPilot reaches. SkyPilot is a program in an environment of its own, never imported here."""
