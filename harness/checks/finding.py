"""A finding, and the name of the step that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Check = dict[str, str | None]  # code, level (warning | error), message, hint


def check(code: str, level: str, message: str, hint: str | None = None) -> Check:
    """One finding."""
    return {"code": code, "level": level, "message": message, "hint": hint}


def step_name(step: Mapping[str, Any]) -> str:
    """The load of a step, as its findings begin."""
    load = step["load"]
    if load.get("users") is not None:
        return f"at {load['users']} user{'s' if load['users'] != 1 else ''}"
    rate = load.get("requests_per_s")
    return f"at {rate:g} requests/s" if rate is not None else "at an unknown load"
