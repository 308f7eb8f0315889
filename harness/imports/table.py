"""Rows that are read one at a time, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.base.stats import Floats


class Table:
    """Numbers and texts of rows, by column; what a row does not tell is None."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[float | None]] = {}
        self._texts: dict[str, list[str | None]] = {}
        self._zero: int | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def zero(self, first: int) -> int:
        """What the first row's integer clock showed: seconds count from there, since a float holds no epoch in ns."""
        self._zero = first if self._zero is None else self._zero
        return self._zero

    def add(self, **numbers: float | None) -> None:
        """The numbers of the next row; the same columns for every row."""
        self._count += 1
        for name, value in numbers.items():
            self._numbers.setdefault(name, []).append(value)

    def say(self, **texts: str | None) -> None:
        """Its texts."""
        for name, value in texts.items():
            self._texts.setdefault(name, []).append(value)

    def column(self, name: str) -> Floats:
        """The numbers of a column, NaN where unknown."""
        return np.array(self._numbers.get(name, []), dtype=float)

    def texts(self, name: str) -> list[str | None] | None:
        """The texts of a column; None where no row has any."""
        found = self._texts.get(name, [])
        return found if any(text is not None for text in found) else None

    def numbered(self, name: str) -> list[str | None] | None:
        """The texts of a column that tells rows apart; None where it does not."""
        found = self._texts.get(name, [])
        return found if None not in found and len(set(found)) == len(found) else None

    def where(self, name: str, value: float) -> Table:
        """The rows that have this number in a column."""
        which = np.flatnonzero(self.column(name) == value)
        if len(which) == self._count:
            return self
        out = Table()
        out._count = len(which)
        out._numbers = {key: _taken(values, which) for key, values in self._numbers.items()}
        out._texts = {key: _taken(values, which) for key, values in self._texts.items()}
        return out


def _taken(values: Sequence[Any], which: Any) -> list[Any]:
    return [values[i] for i in which]
