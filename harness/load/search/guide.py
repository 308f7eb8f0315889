"""Which load a search tries next: the curve of the latencies over the load says where a limit is crossed. Pure.

Each limit has its own curve, log(percentile / limit) over log(load), which crosses 0 where the limit is met just so;
the lowest crossing of all limits is where the answer lies. Between a pass and a fail it is interpolated, by a parabola
through a third load where that adds something (inverse quadratic, Brent 1973), above all passes extrapolated by a
line, if its rise is beyond doubt. Of a crossing the load just below is tried, then that just above: a curve that is
right needs no third. One that is wrong costs at most `SLACK` loads more than doubling and halving: the next load must
leave a bracket that halving can still narrow within that number (the projection of the ITP method, Oliveira and
Takahashi 2020). Where there is no curve (a load failed for its queue or its errors) it halves.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.load.search.probes import Probe, Standing, bracket, standings
from harness.metrics.pooled import ERRORS
from harness.scenario import SearchLoad

SLACK = 2  # loads that a wrong curve may cost more than halving
GROW, GROW_FAR = 2.0, 4.0  # a load at most times so much: plainly, and where every limit is far
FAR = 0.7  # of a limit
LOWEST = 64.0  # a rate is not looked for below the first one through this
STEEP = 2.0  # a limit that rises faster than the load to this power jumps
PAST = 1.15  # the rate grows ever slower, so the place lies above the one that its last growth shows
BEYOND = 1.1  # a place where the server is full that is no further than this above a pass says nothing


@dataclass(frozen=True, slots=True)
class Point:
    """A load and one limit's percentile there as a share of the limit, with its ends."""

    load: float
    ratio: float
    low: float
    high: float

    @property
    def log(self) -> float:
        """0 where the limit is met just so."""
        return math.log(self.ratio)


def close_enough(search: SearchLoad, load: float) -> float:
    """How far apart a pass and a fail may be at the end; neighbours at least, where users are counted."""
    return max(search.resolution * load, 1.0 if search.over == "users" else 0.0)


def next_load(search: SearchLoad, history: Sequence[Probe]) -> float | None:
    """The next load; None where there is none between, above `high` or below the lowest that can be tried."""
    loads = standings(history)
    best, fail = bracket(loads)
    if fail is None:
        return None if best is None or best.load >= search.high else _higher(search, loads, best.load)
    if best is None:
        return _lower(search, fail)
    if fail.load - best.load <= close_enough(search, best.load):
        return None
    return _between(search, history, best.load, fail.load)


def expected_ratio(history: Sequence[Probe], load: float) -> float | None:
    """The worst percentile over its limit that a load is expected to have; None where no curve says."""
    expected = [_read_off(curve, load) for curve in curves(standings(history)).values()]
    return max(expected, default=None)


def curves(loads: Sequence[Standing]) -> dict[str, list[Point]]:
    """The points that are known of each limit, by load."""
    found: dict[str, list[Point]] = {}
    for one in loads:
        for key, near in one.limits.items():
            if key != ERRORS and near.ratio:
                low, high = near.low or near.ratio, near.high or math.inf
                found.setdefault(key, []).append(Point(one.load, near.ratio, low, high))
    return found


def crossing(loads: Sequence[Standing], best: float, fail: float | None) -> float | None:
    """The load at which the first limit is crossed, as the curves say; None: they don't."""
    known = curves(loads).values()
    if fail is None:
        found = [_beyond(curve, best) for curve in known]
    else:
        full = _full_at(loads, best, fail)
        found = [_inside(curve, best, fail, full) for curve in known]
    return min((at for at in found if at is not None), default=None)


def _higher(search: SearchLoad, loads: Sequence[Standing], best: float) -> float:
    """Up to the crossing, but at most `GROW_FAR` times as much; a pass where a fail was expected doubles the step.

    Doubling from `low` on would be at some load by now: never more than `SLACK` loads behind that.
    """
    worst = max((curve[-1].ratio for curve in curves(loads).values()), default=None)
    wanted = most = best * (GROW if worst is None or worst > FAR else GROW_FAR)
    at = crossing(loads, best, None)
    if at is not None:
        wanted = min(_beside(search, best, math.inf, at), max(most, best + close_enough(search, best)))
        below = [one for one in loads if one.load < best]
        before = crossing(below, below[-1].load, None)
        if before is not None and best > before:
            wanted = max(wanted, best + 2 * (best - below[-1].load))
        behind = search.low * GROW ** (sum(one.load >= search.low for one in loads) - SLACK)
        wanted = max(wanted, behind)
    return min(_rounded(search, wanted), search.high)


def _lower(search: SearchLoad, fail: Standing) -> float | None:
    """Half the load that fails, a quarter where it fails by far; None: there is no lower one."""
    worst = max((near.ratio for near in fail.limits.values() if near.ratio), default=1.0)
    load = fail.load / (GROW_FAR if worst > GROW_FAR else GROW)
    if search.over == "users":
        return None if fail.load <= 1 else max(float(math.floor(load)), 1.0)
    return None if fail.load <= search.low / LOWEST else _rounded(search, load)


def _between(search: SearchLoad, history: Sequence[Probe], best: float, fail: float) -> float:
    middle = (best + fail) / 2
    at = crossing(standings(history), best, fail)
    if at is None:
        return _rounded(search, middle)
    wanted = _beside(search, best, fail, at)
    room = _room(search, history, best, fail)
    return _rounded(search, min(max(wanted, middle - room), middle + room))


def _room(search: SearchLoad, history: Sequence[Probe], best: float, fail: float) -> float:
    """How far from the middle the next load may lie, so that halving can still end in time."""
    loads, first_width = _loads_in_bracket(history)
    close = close_enough(search, best)
    halvings = math.ceil(math.log2(max(first_width / close, 1.0)))
    return max(close / 2 * 2.0 ** (halvings + SLACK - loads) - (fail - best) / 2, 0.0)


def _loads_in_bracket(history: Sequence[Probe]) -> tuple[int, float]:
    """How many loads were tried since there is a bracket that has only shrunk, and how wide it was at first."""
    brackets = []
    for made in range(1, len(history) + 1):
        best, fail = bracket(standings(history[:made]))
        if best is not None and fail is not None:
            brackets.append((best.load, fail.load))
    first = 0
    for n, (before, after) in enumerate(pairwise(brackets), start=1):
        if after[0] < before[0] or after[1] > before[1]:
            first = n
    low, high = brackets[first]
    inside = {p.load for p in history if low < p.load < high}
    return len(inside), high - low


def _beside(search: SearchLoad, best: float, fail: float, at: float) -> float:
    """The load just below a crossing, or the one just above where the bracket has the lower one already."""
    width = close_enough(search, at)
    if search.over == "users":
        below = float(math.floor(at - (width - 1) / 2))
        above = below + math.floor(width)
    else:
        below, above = at - 0.45 * width, at + 0.45 * width
    return next((load for load in (below, above) if best < load < fail), (best + fail) / 2)


def _beyond(curve: Sequence[Point], best: float) -> float | None:
    """Where a line through the highest pass and the next one that is surely faster reaches the limit; None: no line."""
    passes = [point for point in curve if point.load <= best]
    last = passes[-1] if passes else None
    before = next((point for point in reversed(passes[:-1]) if last is not None and last.low > point.ratio), None)
    if last is None or before is None:
        return None
    slope = (last.ratio - before.ratio) / (last.load - before.load)
    return max(last.load + (1 - last.ratio) / slope, best)


def _full_at(loads: Sequence[Standing], best: float, fail: float) -> float | None:
    """Where the rate, growing as it did up to the highest pass, reaches that of the fail: there the server is full."""
    rates = {one.load: one.rate_per_s for one in loads if one.rate_per_s}
    before = max((load for load in rates if load <= best / 1.5), default=None)
    if before is None or best not in rates or fail not in rates:
        return None
    power = math.log(rates[best] / rates[before]) / math.log(best / before)
    if power <= 0:
        return None
    return min(PAST * best * math.exp(min(math.log(rates[fail] / rates[best]) / power, 700.0)), fail)


def _inside(curve: Sequence[Point], best: float, fail: float, full: float | None) -> float | None:
    """Where the curve between a pass and a fail reaches the limit; None: this limit did not fail.

    `full`: where the server is full. A wait that jumps is no curve: it begins there.
    """
    at = {point.load: point for point in curve}
    if best not in at or fail not in at or at[fail].log <= 0:
        return None
    a, b = at[best], at[fail]
    if a.log >= 0:
        return best
    if full is not None and full > best * BEYOND and b.log - a.log > STEEP * math.log(fail / best):
        return full
    straight = _at_zero([a, b])
    lower = [point for point in curve if point.load < best and point.high < a.ratio]
    upper = [point for point in curve if point.load > fail and point.low > b.ratio]
    thirds = sorted([*lower[-1:], *upper[:1]], key=lambda point: abs(math.log(point.load / straight)))
    bent = _at_zero([a, b, thirds[0]]) if thirds else straight
    return bent if best < bent < fail else straight


def _at_zero(points: Sequence[Point]) -> float:
    """The load at which Lagrange's polynomial of log(load) over log(ratio) is at ratio 1."""
    total = 0.0
    for one in points:
        weight = math.prod(-other.log / (one.log - other.log) for other in points if other is not one)
        total += weight * math.log(one.load)
    return math.exp(min(max(total, -700.0), 700.0))


def _read_off(curve: Sequence[Point], load: float) -> float:
    """The ratio at a load: between the neighbours, beyond the ends as between the last two (at least flat)."""
    above = next((n for n, point in enumerate(curve) if point.load >= load), len(curve))
    pair = curve[max(above - 1, 0) : above + 1] if above < len(curve) else curve[-2:]
    if len(pair) < 2:
        return pair[0].ratio * math.sqrt(load / pair[0].load)
    first, second = pair
    power = max((second.log - first.log) / math.log(second.load / first.load), 0.0)
    grown: float = first.ratio * (load / first.load) ** power
    return grown


def _rounded(search: SearchLoad, load: float) -> float:
    return float(int(load)) if search.over == "users" else float(f"{load:.4g}")
