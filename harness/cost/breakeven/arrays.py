"""Bills and verdicts of many comparisons at once, on arrays of one length."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.cost.breakeven.exact import ROUNDING, settle
from harness.cost.breakeven.rule import gain_of, wins_at_first, wins_for_good
from harness.cost.breakeven.walk import FIRST_LEVELS

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int8]

NEVER, WINDOW, YES = 0, 1, 2


def ceil(value: Array) -> Array:
    """The next whole numbers up, with the same allowance as a single one has."""
    nearest = np.round(value)
    whole = np.abs(value - nearest) <= ROUNDING * np.maximum(1.0, np.abs(value))
    return np.where(whole, nearest, np.ceil(value))


def floor(value: Array) -> Array:
    """The next whole numbers down."""
    return -ceil(-value)


def no_more(own: Array, other: Array) -> Flags:
    """Where one bill is no higher than the other; a tie is none."""
    return own <= other + ROUNDING * np.maximum(own, other)


@dataclass(frozen=True, slots=True)
class HourArrays:
    """The hours with arrivals, a row for each comparison; `before` is the fill of the hour before each."""

    fills: Array
    before: Array
    hour_usd: Array
    start_usd: Array

    def at(self, rows: Any) -> HourArrays:
        """Some of the comparisons."""
        return HourArrays(*(getattr(self, f.name)[rows] for f in fields(self)))

    def usd(self, tasks: Array) -> Array:
        """The month's bill of the instances."""
        needed, before = ceil(tasks[:, None] / self.fills), ceil(tasks[:, None] / self.before)
        starts: Array = np.maximum(0.0, needed - before).sum(axis=1)
        hours: Array = needed.sum(axis=1)
        return self.hour_usd * hours + self.start_usd * starts

    @property
    def usd_per_task(self) -> Array:
        """What a task costs when every instance is full."""
        starts: Array = np.maximum(0.0, 1 / self.fills - 1 / self.before).sum(axis=1)
        hours: Array = (1 / self.fills).sum(axis=1)
        return self.hour_usd * hours + self.start_usd * starts

    @property
    def rises_from_some(self) -> Array:
        """Hours that need more than the one before them, which has arrivals too."""
        rises: Array = ((self.fills < self.before) & np.isfinite(self.before)).sum(axis=1).astype(np.float64)
        return rises

    @property
    def most_usd_below(self) -> Array:
        """The most that whole instances cost below what they cost when every one is full."""
        below: Array = np.maximum(0.0, self.start_usd - self.hour_usd) * self.rises_from_some
        return below

    def next_step(self, tasks: Array) -> Array:
        """The next volume at which some hour's instances are full."""
        step: Array = (self.fills * (floor(tasks[:, None] / self.fills) + 1)).min(axis=1)
        return step


@dataclass(frozen=True, slots=True)
class Bills:
    """Both sides' bills as functions of the volume; what a task takes beside the instances is off the API's."""

    tasks: Array
    capacity: Array
    fewest: Array
    month: Array
    self_fixed: Array
    per_task: Array  # the API's, less `own_per_task`
    own_per_task: Array  # on the box's side
    api_base: Array
    unit_usd: Array  # 0: the API sells no units
    unit_tasks: Array
    hours: HourArrays | None
    metered: Array | None

    def at(self, rows: Any) -> Bills:
        """Some of the comparisons."""
        got = {f.name: getattr(self, f.name) for f in fields(self)}
        some: dict[str, Any] = {
            name: part.at(rows) if isinstance(part, HourArrays) else None if part is None else part[rows]
            for name, part in got.items()
        }
        return Bills(**some)

    @property
    def fixed(self) -> Array:
        """F."""
        return self.self_fixed - self.api_base

    def self_usd(self, tasks: Array) -> Array:
        """The box's bill of a month."""
        if self.metered is not None:
            return self.metered * tasks + self.self_fixed
        if self.hours is not None:
            return self.hours.usd(tasks) + self.self_fixed
        return np.maximum(self.fewest, ceil(tasks / self.capacity)) * self.month + self.self_fixed

    def api_usd(self, tasks: Array) -> Array:
        """The API's bill of a month."""
        return self.per_task * tasks + self.api_base + np.maximum(1.0, ceil(tasks / self.unit_tasks)) * self.unit_usd

    def next_step(self, tasks: Array) -> Array:
        """Where the level just above a volume ends."""
        if self.hours is not None:
            return self.hours.next_step(tasks)
        return np.maximum(self.fewest, floor(tasks / self.capacity) + 1) * self.capacity


def verdicts(bills: Bills) -> Codes:
    """never as 0, window as 1, yes as 2, by the same rule as a single comparison's."""
    if bills.metered is not None:
        yes, window = _metered(bills, bills.metered)
    else:
        yes, window = _stepped(bills)
        losing = bills.per_task < 0
        yes, window = yes & ~losing, np.where(losing, _carried_by_a_fee(bills), window)
    possible = bills.capacity > 0
    return np.where(possible & yes, YES, np.where(possible & window, WINDOW, NEVER)).astype(np.int8)


def _carried_by_a_fee(bills: Bills) -> Flags:
    """Where each task takes more on the box's side: whether the API's fee is above the bill of the first level."""
    first = bills.self_usd(bills.next_step(np.zeros(bills.tasks.shape)))
    some: Flags = settle(bills.api_base - first, bills.api_base) > 0
    return some if bills.hours is None else some | (settle(-bills.fixed, bills.api_base) > 0)  # a month without tasks


def _stepped(bills: Bills) -> tuple[Flags, Flags]:
    per_full = bills.per_task + bills.unit_usd / bills.unit_tasks
    if bills.hours is None:
        gain = gain_of(per_full * bills.capacity, bills.month)
        above, below = bills.month, np.zeros_like(gain)
        window = wins_at_first(gain, bills.fixed, bills.fewest)
        walked, saved = bills.unit_usd > 0, np.zeros(gain.shape, bool)
        per_task = settle(per_full - bills.month / bills.capacity, per_full)
    else:
        hours = bills.hours
        gain = per_task = gain_of(per_full, hours.usd_per_task)
        often = hours.fills.shape[1]
        above, below = (hours.hour_usd + hours.start_usd) * often, hours.most_usd_below
        idle = bills.unit_usd - bills.fixed
        window = saved = settle(idle, bills.unit_usd + bills.api_base) > 0
        walked = np.ones(gain.shape, bool)
    yes = wins_for_good(gain, bills.fixed, above)
    room = bills.unit_usd + below - bills.fixed
    highest = np.where(per_task < 0, room / -per_task, np.where(room >= 0, np.inf, -1.0))
    open_ones = walked & ~yes & (bills.capacity > 0)
    return yes, np.where(walked, _some_window(bills, open_ones & ~saved, highest) | saved, window)


def _some_window(bills: Bills, open_ones: Flags, highest: Array) -> Flags:
    """Where some level up to `highest` ends in a win."""
    found, at = np.zeros(open_ones.shape, bool), np.zeros(open_ones.shape)
    rows = np.flatnonzero(open_ones & (highest > 0))
    for _ in range(FIRST_LEVELS):
        if not rows.size:
            break
        some = bills.at(rows)
        at[rows] = end = some.next_step(at[rows])
        won = no_more(some.self_usd(end), some.api_usd(end))
        found[rows] = won
        rows = rows[~won & (end < highest[rows])]
    return found


def _metered(bills: Bills, own: Array) -> tuple[Flags, Flags]:
    """Lines, or a line against units: see windows.py."""
    dearer, fixed, unit = settle(own - bills.per_task, own), bills.fixed, bills.unit_usd
    has_units = unit > 0
    gain = gain_of(unit, np.where(has_units, dearer * np.where(has_units, bills.unit_tasks, 0.0), 0.0))
    yes = (dearer < 0) | (dearer == 0) & (has_units | (fixed <= 0))
    yes |= (dearer > 0) & has_units & wins_for_good(gain, fixed, np.zeros_like(fixed))
    return yes, fixed < unit
