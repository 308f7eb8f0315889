"""What machine this is."""

from __future__ import annotations

import platform
from typing import Any


def facts() -> dict[str, Any]:
    """What is known of it."""
    return {"kernel": platform.release()}
