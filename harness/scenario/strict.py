"""The base of every model of a scenario file: frozen, no unknown keys, no infinities."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

# Nobody means more than these: above is a slip of the keyboard, said before anything is sent.
YEAR_S = 31_536_000
MOST_USERS = 100_000
MOST_PER_S = 1_000_000
MOST_TOKENS = 100_000_000


class Strict(BaseModel):
    """A part of a scenario file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def one_number_is_a_list(value: Any) -> Any:
    """`4` for `[4]`: one step may be written as its number."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value
