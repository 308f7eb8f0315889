"""One prompt, whatever it comes from."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.backends.wire import Constraint
from harness.scenario import LengthSpread


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt: its text, its length where it is known beforehand, and the tokens to ask for."""

    text: str
    tokens: int | None
    max_tokens: int
    messages: tuple[Mapping[str, Any], ...] | None = None  # the conversation, where a chat route is asked
    is_judged: bool = False  # the answer's text is kept for that
    constraint: Constraint | None = None


def draw_length(length: int | LengthSpread, rng: random.Random) -> int:
    """One token length: the number itself, or a normal draw cut at min and max."""
    if isinstance(length, int):
        return length
    drawn = round(rng.gauss(length.mean, length.stdev))
    return max(length.min, min(drawn, length.max) if length.max is not None else drawn)
