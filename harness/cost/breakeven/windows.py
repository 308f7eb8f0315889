"""All volumes at which self-hosting wins: yes, window or never, and the windows.

Against a line of an API the staircase of instances has a closed form: with N of them self-hosting wins on [lo(N), NK].
Everything else is walked, level by level, at most 100 windows, between the volume below which nothing can win and the
one beyond which the slopes decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.cost.breakeven.exact import ceil, floor, settle
from harness.cost.breakeven.rule import gain_of, wins_at_first, wins_for_good
from harness.cost.breakeven.staircase import Staircase
from harness.cost.breakeven.walk import (
    MAX_WINDOWS,
    MOST_LEVELS,
    permanent_win,
    reach_of,
    saves_idle,
    slopes_of,
    windows_of,
)
from harness.rundir.decide import Verdict, Window


@dataclass(frozen=True, slots=True)
class BreakEven:
    """At which tasks a month self-hosting wins."""

    verdict: Verdict
    first: float | None
    permanent: float | None
    windows: tuple[Window, ...]
    truncated: bool


NEVER = BreakEven("never", None, None, (), False)


def break_even(stairs: Staircase) -> BreakEven:
    """At which volumes above 0 self-hosting wins. Formulas 10, 17 and 18."""
    stairs = stairs.net()
    if not stairs.capacity:
        return NEVER
    if stairs.metered_usd_per_task is not None:
        return _metered(stairs, stairs.metered_usd_per_task)
    if stairs.usd_per_task < 0:
        return _losing_by_the_task(stairs)
    if stairs.has_units or stairs.hours is not None:
        return _walked(stairs)
    gain = gain_of(stairs.usd_per_task * stairs.capacity, stairs.usd_per_instance_month)
    fixed, month, fewest = stairs.fixed_usd, stairs.usd_per_instance_month, float(stairs.min_instances)
    # once this is paid by full instances, one more instance pays for itself from its first task on
    settled = settle(fixed + month, max(abs(fixed), month))
    if wins_for_good(gain, fixed, month):
        if gain == 0:
            return _for_good(stairs.low(fewest))
        return _wins_for_good(stairs, max(fewest, ceil(fixed / gain)), max(fewest, ceil(settled / gain)))
    if wins_at_first(gain, fixed, fewest):
        return _wins_in_windows(stairs, gain, settled)
    return NEVER


def _losing_by_the_task(stairs: Staircase) -> BreakEven:
    """Each task takes more on the box's side than at the API, which only a fee of the API can carry: from 0 on, up to
    where it is used up.
    """
    dearer, at, top = -stairs.usd_per_task, 0.0, 0.0
    for _ in range(MOST_LEVELS):
        room = settle(stairs.api_base_usd - stairs.self_usd_after(at), stairs.api_base_usd)
        if room < dearer * at or room < 0:
            break
        end = stairs.next_step(at)
        top = min(end, room / dearer)
        if top < end:
            break
        at = end
    windows: list[Window] = [(0.0, top)] if top > 0 or saves_idle(stairs) else []
    return _found(windows, math.inf, truncated=False)


def _for_good(low: float) -> BreakEven:
    return BreakEven("yes", low, low, ((low, None),), False)


def _wins_for_good(stairs: Staircase, first: float, last: float) -> BreakEven:
    """g > 0: windows of N = first .. last-1 apart from each other, and for good from lo(last)."""
    assert stairs.capacity is not None
    apart = int(min(last - first, MAX_WINDOWS))
    windows: list[Window] = [(stairs.low(first + i), (first + i) * stairs.capacity) for i in range(apart)]
    permanent = stairs.low(last)
    return BreakEven(
        verdict="yes",
        first=stairs.low(first),
        permanent=permanent,
        windows=(*windows, (permanent, None)),
        truncated=last - first > MAX_WINDOWS,
    )


def _wins_in_windows(stairs: Staircase, gain: float, settled: float) -> BreakEven:
    """g <= 0: a full instance loses, but the API's fixed costs carry the first few.

    N instances win while N g >= F; N+1 continue N's window while N g >= F + cH.
    """
    assert stairs.capacity is not None
    fewest = float(stairs.min_instances)
    most = math.inf if gain == 0 else max(fewest, floor(stairs.fixed_usd / gain))
    joined = fewest - 1  # the last N whose window the next one continues
    if settled <= 0:
        joined = max(joined, floor(settled / gain))
    start = min(joined + 1, most)  # the first window reaches up to start * K
    windows: list[Window] = [(stairs.low(fewest), start * stairs.capacity)]
    while len(windows) < MAX_WINDOWS and start + len(windows) <= most:
        n = start + len(windows)
        windows.append((stairs.low(n), n * stairs.capacity))
    truncated = start + MAX_WINDOWS <= most
    return BreakEven("window", stairs.low(fewest), None, tuple(windows), truncated)


def _walked(stairs: Staircase) -> BreakEven:
    slopes = slopes_of(stairs)
    permanent = permanent_win(stairs, slopes) if slopes.for_good else math.inf
    windows, truncated = windows_of(stairs, permanent, reach_of(stairs, slopes))
    starts_at = windows[0][0] if windows else permanent
    if starts_at > 0 and saves_idle(stairs):
        windows = [(0.0, 0.0), *windows]
    return _found(windows, permanent, truncated=truncated)


def _found(windows: list[Window], permanent: float, *, truncated: bool) -> BreakEven:
    """`permanent` inf: it wins in the windows alone."""
    if permanent < math.inf:
        windows = [*windows, (permanent, None)]
        return BreakEven("yes", windows[0][0], permanent, tuple(windows), truncated)
    return BreakEven("window", windows[0][0], None, tuple(windows), truncated) if windows else NEVER


def _metered(stairs: Staircase, own: float) -> BreakEven:
    """Paid by the request: the box's bill is a line too, and has no steps."""
    dearer, fixed = settle(own - stairs.usd_per_task, own), stairs.fixed_usd
    if dearer <= 0:
        low = replace(stairs, usd_per_task=-dearer).api_reaches(stairs.self_fixed_usd, stairs.api_base_usd)
        return _for_good(low) if low < math.inf else NEVER
    if stairs.has_units:
        return _metered_against_units(stairs, dearer)
    return _found([(0.0, -fixed / dearer)], math.inf, truncated=False) if fixed < 0 else NEVER


def _metered_against_units(stairs: Staircase, dearer: float) -> BreakEven:
    """Each unit's price carries the dearer request up to (u f - F)/d tasks, or to the unit's end."""
    unit, size, fixed = stairs.unit_usd, stairs.unit_tasks, stairs.fixed_usd
    gain = gain_of(unit, dearer * size)
    first, whole, permanent = 1.0, 0.0, math.inf  # `whole`: so many units from the first on win throughout
    if wins_for_good(gain, fixed, 0.0):
        last = max(1.0, ceil(fixed / gain)) if gain else 1.0
        first, permanent = (max(1.0, floor((fixed - dearer * size) / gain) + 1) if gain else 1.0), (last - 1) * size
    elif fixed < 0:
        whole = floor(fixed / gain)
    windows: list[Window] = []
    unit_no = max(first, whole + 1)
    while len(windows) < MAX_WINDOWS and (start := (unit_no - 1) * size) < permanent:
        top = (unit_no * unit - fixed) / dearer
        if top <= start:
            break
        windows.append((0.0 if unit_no == whole + 1 else start, top))
        unit_no += 1
    if not windows and whole:
        windows.append((0.0, whole * size))
    return _found(windows, permanent, truncated=len(windows) == MAX_WINDOWS)
