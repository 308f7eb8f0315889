"""Windows where no closed form holds, two staircases or hours of their own: the levels of the box's bill in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.cost.breakeven.exact import is_tie, settle
from harness.cost.breakeven.rule import gain_of, wins_for_good
from harness.cost.breakeven.staircase import Staircase
from harness.rundir.decide import Window

MAX_WINDOWS = 100
MOST_LEVELS = 5000  # that are looked at on one way
FIRST_LEVELS = 300  # that are looked at for a first win, where there is none for good


@dataclass(frozen=True, slots=True)
class Slopes:
    """How both bills grow over many steps: the API's is between its slope and f above, the box's likewise."""

    gain: float  # USD a task that self-hosting saves with everything full; 0 when it is rounding
    unit: float  # f
    above: float  # the most that whole instances cost above the slope
    below: float
    flat: float  # tasks a month that the fewest instances serve: up to there no slope tells their bill
    for_good: bool


def slopes_of(stairs: Staircase) -> Slopes:
    """The slopes of a comparison."""
    assert stairs.capacity is not None
    hours, month = stairs.hours, stairs.usd_per_instance_month
    per_task = month / stairs.capacity if hours is None else hours.usd_per_task
    above = month if hours is None else hours.most_usd_above
    gain = gain_of(stairs.api_usd_per_task_used_up, per_task)
    return Slopes(
        gain=gain,
        unit=stairs.unit_usd if stairs.has_units else 0.0,
        above=above,
        below=0.0 if hours is None else hours.most_usd_below,
        flat=0.0 if hours is not None else stairs.min_instances * stairs.capacity,
        for_good=bool(wins_for_good(gain, stairs.fixed_usd, above)),
    )


def reach_of(stairs: Staircase, slopes: Slopes) -> tuple[float, float]:
    """Between which volumes self-hosting can win at all; the second below the first: nowhere."""
    room = slopes.unit + slopes.below - stairs.fixed_usd  # what the API's bill may be above its slope, and F
    if slopes.gain > 0:
        return max(0.0, -room / slopes.gain), math.inf
    if slopes.gain < 0:
        return 0.0, room / -slopes.gain
    return 0.0, math.inf if room >= 0 else -1.0


def wins_at(stairs: Staircase, tasks: float) -> bool:
    """Whether self-hosting costs no more at a volume."""
    own, api = stairs.self_usd_at(tasks), stairs.api_usd(tasks)
    return own <= api or is_tie(own, api)


def saves_idle(stairs: Staircase) -> bool:
    """Whether instances that come and go save a fee of the API in a month without tasks; two empty bills are no win."""
    idle = stairs.api_usd(0) - stairs.self_usd_at(0)
    return stairs.hours is not None and settle(idle, stairs.api_usd(0)) > 0


def _wins_after(stairs: Staircase, tasks: float) -> bool:
    own, api = stairs.self_usd_after(tasks), stairs.api_usd_after(tasks)
    return own <= api or is_tie(own, api)


def _wins_from(stairs: Staircase, start: float) -> float:
    """The volume from which it wins on the level that begins at `start`; it wins at that level's end."""
    return max(start, stairs.api_reaches(stairs.self_usd_after(start), stairs.api_base_usd))


def permanent_win(stairs: Staircase, slopes: Slopes) -> float:
    """The volume from which it always wins, found from one where it surely does, downwards."""
    sure = slopes.flat
    if slopes.gain > 0:
        sure = max(sure, (stairs.fixed_usd + slopes.above) / slopes.gain)
    for _ in range(MOST_LEVELS):
        start = stairs.step_before(sure)
        if start <= 0 or not _wins_after(stairs, start):
            return _wins_from(stairs, start)
        if not wins_at(stairs, start):
            return start
        sure = start
    return sure


def windows_of(stairs: Staircase, permanent: float, reach: tuple[float, float]) -> tuple[list[Window], bool]:
    """The windows that end below `permanent`, and whether there may be more than are listed."""
    lowest, highest = reach
    windows: list[Window] = []
    at, low, end = stairs.step_before(lowest), None, min(permanent, highest)
    for level in range(MOST_LEVELS):
        if len(windows) == MAX_WINDOWS or (low is None and at >= end):
            break
        if level == FIRST_LEVELS and low is None and not windows and permanent == math.inf:
            break
        next_step = stairs.next_step(at)
        if low is None and wins_at(stairs, next_step):
            low = _wins_from(stairs, at)
            if permanent < math.inf and (low >= permanent or is_tie(low, permanent)):
                return windows, False
        if low is not None and not _wins_after(stairs, next_step):
            windows.append((low, next_step))
            low = None
        at = next_step
    if low is not None:
        windows.append((low, at))
    return windows, low is not None or at < end
