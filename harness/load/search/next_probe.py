"""Which load to try next, and when to stop. Pure: the probes so far in, the next move out.

Grow until a load fails or `high` passes, then narrow the bracket, guided by the curve of the latencies
(`harness.load.search.guide`), until pass and fail are close. Those two are then made sure: each is probed again unless
its verdict is sure already, as long as it takes to be sure within max_step_s, and what all probes of a load say is
pooled. A verdict that turns goes on from there. A probe that is too short to judge is made once more at full length.
"""

import math
from collections.abc import Mapping, Sequence

from harness.load.search.guide import expected_ratio, next_load
from harness.load.search.lengths import confirming_length_s, length_s, more_to_be_sure
from harness.load.search.probes import Next, Probe, Standing, Stop, bracket, standings
from harness.load.search.words import decided_words, refused_words, stop_words
from harness.scenario import Limit, SearchLoad

TWICE = 2  # probes of a load at the boundary, unless it is sure before
THRICE = 3  # where a third is known to make it sure
NEAR_LIMIT = 1.12  # twice the 6 % by which the same engine differs between two runs, until somebody has measured it
COUNT_SPREAD = 2.0  # standard deviations of a count: an upper bound of throughput is N + 2 sqrt(N)
FLAT = 0.05  # so little more rate for twice the load, and the rate has reached its end


def next_probe(
    search: SearchLoad,
    limits: Sequence[Limit],
    history: Sequence[Probe],
    needed: Mapping[str, float | None] | None = None,
) -> Next | Stop:
    """The next move.

    `limits` are the SLO's; `needed` the goodput in requests per second at which the box
    pays, by arm (None: at no goodput): given, the search stops as soon as it is certain for every arm.
    """
    if not history:
        return Next(search.low, length_s(search, limits, search.low, history))
    if needed and (verdict := decided(search, history, needed)) is not None:
        return Stop("decided", verdict)
    loads = standings(history)
    best, fail = bracket(loads)
    last = next(one for one in loads if one.load == history[-1].load)
    if history[-1].refused is not None:  # a higher load would be, too, and a lower one is no figure of the server
        return Stop("refused", refused_words(search, history[-1], best), at_least=best is not None)
    if last.met is None and history[-1].length_s >= search.max_step_s:
        return _stop("too_short", search, last, None)
    if len(history) >= search.max_probes:
        return _stop("max_probes", search, best, fail)
    if last.met is None:
        return Next(last.load, search.max_step_s)
    load = None if not limits and fail is None and is_flat(loads) else next_load(search, history)
    if load is not None:
        return Next(load, length_s(search, limits, load, history, expected_ratio(history, load)))
    ends = [one for one in (best, fail) if one is not None]
    for one in sorted(ends, key=lambda end: len(end.probes)):
        if (again_s := _again_s(search, limits, one)) is not None:
            return Next(one.load, again_s)
    reason = "flat" if fail is None and best is not None and best.load < search.high else None
    return _stop(reason, search, best, fail)


def is_flat(loads: Sequence[Standing]) -> bool:
    """Whether the highest load got no more than 5 % more than one of half as much."""
    top = loads[-1]
    half = [one for one in loads if one.load <= top.load / 2]
    if not half or not top.rate_per_s or not half[-1].rate_per_s:
        return False
    return top.rate_per_s < half[-1].rate_per_s * (1 + FLAT)


def _again_s(search: SearchLoad, limits: Sequence[Limit], end: Standing) -> float | None:
    """How long the search would still probe a load that it ends at; None: enough is known."""
    times = len(end.probes)
    if times >= THRICE or (end.is_sure and (times >= TWICE or not _may_turn(end))):
        return None
    length = confirming_length_s(search, limits, end)
    if times < TWICE:
        return length
    wanted = more_to_be_sure(end)
    reach = (length - search.warmup_s) * (end.rate_per_s or 0.0)
    return length if wanted is not None and wanted <= reach else None


def _may_turn(end: Standing) -> bool:
    """Whether a sure verdict lies so near its limit that the server on another minute may give the other one."""
    ratios = [near.ratio for near in end.limits.values() if near.ratio]
    return bool(ratios) and 1 / NEAR_LIMIT < max(ratios) < NEAR_LIMIT


def _stop(reason: str | None, search: SearchLoad, best: Standing | None, fail: Standing | None) -> Stop:
    """The end between what passes and what fails; without a reason: as found."""
    if reason is None:
        reason = "high_passes" if fail is None else "low_fails" if best is None else "found"
    ends = [one for one in (best, fail) if one is not None]
    return Stop(
        reason,
        stop_words(reason, search, best, fail),
        at_least=reason != "too_short" and fail is None,
        at_most=reason != "too_short" and best is None,
        sure=None if reason == "too_short" else all(one.is_sure for one in ends),
    )


def bounds(search: SearchLoad, history: Sequence[Probe]) -> tuple[float, float]:
    """Between which two numbers the goodput certainly lies, in requests per second.

    Below: the low end of the interval of any load that surely passed. Above: a load that surely failed has been
    overtaken by the limits, so the goodput is below the rate it offered, or below the throughput its users got.
    """
    loads = standings(history)
    best, _ = bracket(loads)
    lows = [
        p.goodput_low
        for one in loads
        if one.verdict == "yes" and best is not None and one.load <= best.load
        for p in one.probes
        if p.goodput_low is not None
    ]
    highs = [high for one in loads if one.verdict == "no" for p in one.probes if (high := _most(search, p)) is not None]
    return max(lows, default=0.0), min(highs, default=math.inf)


def _most(search: SearchLoad, probe: Probe) -> float | None:
    if search.over == "requests_per_s":
        return probe.load
    if probe.requests_per_s and probe.requests and not probe.given_up:
        return probe.requests_per_s * (1 + COUNT_SPREAD / math.sqrt(probe.requests))
    return None


def decided(search: SearchLoad, history: Sequence[Probe], needed: Mapping[str, float | None]) -> str | None:
    """In words, that for every arm the goodput is certainly enough or certainly not; None while one is open."""
    low, high = bounds(search, history)
    for need in needed.values():
        if need is not None and low < need <= high:
            return None
    return decided_words(low, high, needed)
