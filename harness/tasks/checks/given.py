"""What a check is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Unusable(ValueError):
    """A checker that cannot judge anything, and why in one line."""


class Outcome(NamedTuple):
    """Whether an answer solved its task; None: not judged. `why` says so of all but a success."""

    success: bool | None
    why: str = ""


SOLVED = Outcome(True)


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, and what is known of its task."""

    text: str
    expected: Any = None
    is_cut: bool = False  # it ended because it was as long as it may be
    task: Mapping[str, Any] = field(default_factory=dict)  # as a function of the user's sees it


Check = Callable[[Given], Outcome]
