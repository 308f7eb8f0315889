"""What says that this box will be taken away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def watch(stop: threading.Event, told: Callable[[Any], None]) -> None:  # noqa: ARG001
    """Ask now and then, call `told` once."""
    stop.wait()
