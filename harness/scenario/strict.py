"""Limits that every part of a scenario file shares, and the base of its models."""

from typing import Any

from harness.base.yamlfile import Strict

__all__ = ["MOST_PER_S", "MOST_TOKENS", "MOST_USERS", "YEAR_S", "Strict", "one_number_is_a_list"]

# Nobody means more than these: above is a slip of the keyboard, said before anything is sent.
YEAR_S = 31_536_000
MOST_USERS = 100_000
MOST_PER_S = 1_000_000
MOST_TOKENS = 100_000_000


def one_number_is_a_list(value: Any) -> Any:
    """`4` for `[4]`: one step may be written as its number."""
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else value
