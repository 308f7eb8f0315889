"""What an attack comes back with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """How many were tried, what did not hold (a line each), and what else is worth a line."""

    tried: int
    bad: list[str]
    note: str
