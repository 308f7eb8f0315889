"""A log's raw columns, and what was found out about them on the way."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.base.stats import Floats
from harness.scenario.logs.layout import Columns, Layout, TimeUnit
from harness.scenario.logs.source import Column, Source
from harness.scenario.logs.times import Times, times_of
from harness.scenario.logs.values import Bools, Names, names_of, numbers_of


@dataclass(slots=True)
class Raw:
    """The raw columns of a log, and what was found out about them on the way."""

    source: Source
    layout: Layout
    columns: dict[str, Column]
    unit: TimeUnit | None
    rows: int
    left_out: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def there(self, wanted: Columns) -> list[str]:
        """Those of the columns that the file has."""
        return [name for name in wanted if name in self.columns]

    def numbers(self, wanted: Columns) -> Floats | None:
        """The first of several columns that says something, row by row; None: none of them does."""
        found: Floats | None = None
        for name in self.there(wanted):
            values = numbers_of(self.columns.pop(name), name, self.layout, self.source)
            found = values if found is None else np.where(np.isnan(found), values, found)
            if not np.isnan(found).any():
                break
        return None if found is None or np.isnan(found).all() else found

    def names(self, wanted: Columns) -> Names | None:
        """The first of several columns that names anything; None: none of them does."""
        for name in self.there(wanted):
            found = names_of(self.columns[name])
            if found.names:
                return found
        return None

    def times(self, wanted: Columns) -> Times | None:
        """The first of several columns that tells a time; None: none of them does."""
        for name in self.there(wanted):
            found = times_of(self.columns[name], name, self.layout, self.unit, self.source)
            if not np.isnan(found.seconds).all():
                return found
        return None

    def leave_out(self, rows: Bools, kept: Bools, why: str) -> Bools:
        """`kept` without those rows, which are counted."""
        count = int((rows & kept).sum())
        if count:
            self.left_out[why] = self.left_out.get(why, 0) + count
        return kept & ~rows
