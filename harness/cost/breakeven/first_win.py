"""The lowest volume at which self-hosting wins, of many comparisons at once: what `windows.py` gives one by one."""

from __future__ import annotations

import numpy as np

from harness.cost.breakeven.arrays import NEVER, WINDOW, YES, Array, Bills, Codes, Flags, ceil, floor, no_more
from harness.cost.breakeven.exact import settle
from harness.cost.breakeven.rule import gain_of
from harness.cost.breakeven.walk import MOST_LEVELS

JUST_BELOW = 1 - 1e-9  # of the volume below which nothing wins: the level that ends there may be a tie


def first_wins(bills: Bills, codes: Codes) -> Array:
    """Of each comparison with its verdict; inf where it never wins, or only behind more levels than make sense."""
    if bills.metered is not None:
        first = _metered(bills, bills.metered, codes)
    else:
        walked = (bills.unit_usd > 0) | (bills.hours is not None)
        first = _stepped(bills)
        rows = np.flatnonzero(walked & (codes != NEVER))
        first[rows] = _walked(bills.at(rows))
        first = np.where((bills.per_task < 0) & (codes == WINDOW), 0.0, first)
    return np.where(codes == NEVER, np.inf, first)


def _stepped(bills: Bills) -> Array:
    """lo(N) of the first N that, full, have paid for the fixed costs; the fewest where a further one is no gain."""
    gain = gain_of(bills.per_task * bills.capacity, bills.month)
    n = np.where(gain > 0, np.maximum(bills.fewest, ceil(bills.fixed / gain)), bills.fewest)
    begins = np.where(n > bills.fewest, (n - 1) * bills.capacity, 0.0)
    wins: Array = np.maximum(begins, _reaches(bills, n * bills.month + bills.self_fixed, bills.per_task))
    return wins


def _reaches(bills: Bills, usd: Array, per_task: Array) -> Array:
    """The volume from which the API's bill is at least `usd`, a task adding so much to it."""
    left, has_units = settle(usd - bills.api_base, usd), bills.unit_usd > 0
    size = np.where(has_units, bills.unit_tasks, 0.0)
    units = np.where(has_units, np.maximum(1.0, ceil(left / (per_task * size + bills.unit_usd))), 0.0)
    left = settle(left - units * bills.unit_usd, left)
    full: Array = np.maximum(units - 1, 0.0) * size
    return np.maximum(full, np.where(left > 0, left / per_task, 0.0))


def _walked(bills: Bills) -> Array:
    """Level by level from the volume below which nothing can win."""
    first = np.full(bills.tasks.shape, np.inf)
    saved = _saves_idle(bills)
    first[saved] = 0.0
    at = _lowest(bills) * JUST_BELOW
    rows = np.flatnonzero(~saved)
    for _ in range(MOST_LEVELS):
        if not rows.size:
            break
        some = bills.at(rows)
        end = some.next_step(at[rows])
        own = some.self_usd(end)
        won = no_more(own, some.api_usd(end))
        first[rows[won]] = np.maximum(at[rows], _reaches(some, own, some.per_task))[won]
        at[rows] = end
        rows = rows[~won]
    return first


def _saves_idle(bills: Bills) -> Flags:
    """Where instances that come and go save a fee of the API in a month without tasks."""
    if bills.hours is None:
        return np.zeros(bills.tasks.shape, bool)
    saved: Flags = settle(bills.unit_usd - bills.fixed, bills.unit_usd + bills.api_base) > 0
    return saved


def _lowest(bills: Bills) -> Array:
    """The volume below which the slopes of both bills leave nothing to win."""
    hours, per_full = bills.hours, bills.per_task + bills.unit_usd / bills.unit_tasks
    per_task = bills.month / bills.capacity if hours is None else hours.usd_per_task
    gain = gain_of(per_full, per_task)
    below = 0.0 if hours is None else hours.most_usd_below
    room = bills.unit_usd + below - bills.fixed
    return np.where(gain > 0, np.maximum(0.0, -room / gain), 0.0)


def _metered(bills: Bills, own: Array, codes: Codes) -> Array:
    """Lines, or a line against units; a window is open from the first task on."""
    dearer = settle(own - bills.per_task, own)
    size = np.where(bills.unit_usd > 0, bills.unit_tasks, 0.0)
    gain = gain_of(bills.unit_usd, dearer * size)
    units = np.where(gain > 0, np.maximum(1.0, floor((bills.fixed - dearer * size) / gain) + 1), 1.0)
    dear = np.where(codes == YES, (units - 1) * size, 0.0)
    return np.where(dearer > 0, dear, _reaches(bills, bills.self_fixed, -dearer))
