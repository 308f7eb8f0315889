"""Comparing amounts that carry the rounding of floats: what differs by less than a task in 1e12 is the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Numbers = TypeVar("Numbers", float, "npt.NDArray[np.float64]")

ROUNDING = 1e-12  # inputs like 0.6 or 5.672 leave a few 1e-16 behind


def is_tie(one: float, other: float) -> bool:
    """Whether two bills differ by rounding only."""
    return settle(one - other, max(abs(one), abs(other))) == 0


def settle(difference: Numbers, scale: Numbers) -> Numbers:
    """A difference of two amounts, 0 when it is only their rounding; of numbers or of arrays."""
    return difference * (abs(difference) > ROUNDING * abs(scale))


def ceil(value: float) -> float:
    """The next whole number up; a value that is whole up to rounding is that number."""
    nearest = float(round(value))
    return nearest if abs(value - nearest) <= ROUNDING * max(1.0, abs(value)) else float(math.ceil(value))


def floor(value: float) -> float:
    """The next whole number down, with the same allowance."""
    return -ceil(-value)
