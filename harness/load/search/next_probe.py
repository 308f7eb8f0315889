"""Which load to try next, and when to stop. Pure: the probes so far in, the next move out.

Grow (double) until a load fails or `high` passes, then halve the bracket until pass and fail are close. A
probe that is too short to judge is made once more at full length.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.base.stats import MIN_SLO_SAMPLES, SAMPLE_FLOORS
from harness.base.units import SECONDS_PER_HOUR
from harness.scenario import Limit, SearchLoad

SPARE = 1.1  # probes are this much longer than the mean rate needs, since counts scatter
COUNT_SPREAD = 2.0  # standard deviations of a count: an upper bound of throughput is N + 2 sqrt(N)


@dataclass(frozen=True, slots=True)
class Probe:
    """One load that was tried, and what came of it; unknown is None."""

    load: float
    passed: bool | None  # meets the SLO; None: too few requests to say
    length_s: float  # as planned
    seconds: float  # as it was: less where the queue grew and the step was cut
    requests: int = 0  # that were judged
    requests_per_s: float | None = None
    goodput_low: float | None = None
    over_saturated: bool = False
    given_up: bool = False  # cut, since it could not pass any more: its throughput bounds nothing


@dataclass(frozen=True, slots=True)
class Next:
    """Try this load for so long, warm-up included."""

    load: float
    length_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the search is over: found, decided, high_passes, low_fails, too_short or max_probes."""

    reason: str
    text: str


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
    last = history[-1]
    if last.passed is None and last.length_s >= search.max_step_s:
        return Stop("too_short", f"{_name(search, last.load)}: too few requests in {last.length_s:g} s to judge")
    if len(history) >= search.max_probes:
        return Stop("max_probes", f"{search.max_probes} probes were made (`load.max_probes`)")
    if last.passed is None:
        return Next(last.load, search.max_step_s)
    best, fail = bracket(history)
    if fail is None:
        assert best is not None
        if best >= search.high:
            return Stop("high_passes", f"{_name(search, search.high)} still meets the limits (`load.high`)")
        load = min(best * 2, search.high)
    elif best is None:
        return Stop("low_fails", f"{_name(search, fail)} fails already (`load.low`)")
    else:
        close = max(search.resolution * best, 1.0 if search.over == "users" else 0.0)
        if fail - best <= close:
            return Stop("found", f"{_name(search, best)} pass, {_name(search, fail)} fail")
        load = _middle(search, best, fail)
    return Next(load, length_s(search, limits, load, history))


def bracket(history: Sequence[Probe]) -> tuple[float | None, float | None]:
    """(highest load that passes below the lowest that fails, lowest that fails); a load's last probe counts."""
    verdicts = {probe.load: probe.passed for probe in history}
    fail = min((load for load, passed in verdicts.items() if passed is False), default=None)
    passing = [load for load, ok in verdicts.items() if ok and (fail is None or load < fail)]
    return max(passing, default=None), fail


def _middle(search: SearchLoad, best: float, fail: float) -> float:
    middle = (best + fail) / 2
    return float(int(middle)) if search.over == "users" else float(f"{middle:.4g}")


def samples_needed(limits: Sequence[Limit]) -> int:
    """Good requests that the strictest percentile of the limits needs (stats.SAMPLE_FLOORS)."""
    floors = [SAMPLE_FLOORS.get(limit.percentile, MIN_SLO_SAMPLES) for limit in limits]
    return max(floors, default=MIN_SLO_SAMPLES)


def length_s(search: SearchLoad, limits: Sequence[Limit], load: float, history: Sequence[Probe]) -> float:
    """How long a probe must be for its percentile, within step_s and max_step_s; step_s where nothing is known.

    Users are expected to get at least the most that any smaller number of them got.
    """
    if search.over == "requests_per_s":
        rate: float | None = load
    else:
        rate = max((p.requests_per_s for p in history if p.load <= load and p.requests_per_s), default=None)
    if not rate:
        return search.step_s
    wanted_s = search.warmup_s + SPARE * samples_needed(limits) / rate
    return float(f"{min(max(wanted_s, search.step_s), search.max_step_s):.4g}")


def bounds(search: SearchLoad, history: Sequence[Probe]) -> tuple[float, float]:
    """Between which two numbers the goodput certainly lies, in requests per second.

    Below: the low end of the interval of any load that passed. Above: a load that failed has been overtaken by
    the limits, so the goodput is below the rate it offered, or below the throughput its users got.
    """
    best, fail = bracket(history)
    lows = [p.goodput_low for p in history if p.passed and p.goodput_low is not None and p.load <= (best or 0)]
    highs = []
    for probe in history:
        if probe.passed is not False:
            continue
        if search.over == "requests_per_s":
            highs.append(probe.load)
        elif probe.requests_per_s and probe.requests and not probe.given_up:
            highs.append(probe.requests_per_s * (1 + COUNT_SPREAD / math.sqrt(probe.requests)))
    return max(lows, default=0.0), min(highs, default=math.inf) if fail is not None else math.inf


def decided(search: SearchLoad, history: Sequence[Probe], needed: Mapping[str, float | None]) -> str | None:
    """In words, that for every arm the goodput is certainly enough or certainly not; None while one is open."""
    low, high = bounds(search, history)
    enough, not_enough, never = [], [], []
    for arm, need in needed.items():
        if need is None:
            never.append(arm)
        elif low >= need:
            enough.append(f"{arm} (needs {need:.3g})")
        elif high < need:
            not_enough.append(f"{arm} (needs {need:.3g})")
        else:
            return None
    groups = (
        (f"{low:.3g} requests/s or more are enough against", enough),
        (f"{high:.3g} requests/s or less are not enough against", not_enough),
        ("no goodput pays against", never),
    )
    return "; ".join(f"{text} {', '.join(arms)}" for text, arms in groups if arms)


def saved(
    search: SearchLoad, limits: Sequence[Limit], history: Sequence[Probe], usd_per_hour: float | None
) -> dict[str, float | None]:
    """What the search took less than the fixed ladder low, 2 low, 4 low ... high: `{seconds, requests, usd}`.

    A step of the ladder is as long as a probe of its load; loads that were not tried are taken to get the
    most requests per second that any load got (a rate: the rate). Negative where bisecting took longer.
    """
    ladder = [search.low]
    while ladder[-1] < search.high:
        ladder.append(min(ladder[-1] * 2, search.high))
    most = max((p.requests_per_s or 0.0 for p in history), default=0.0)
    ladder_s = ladder_requests = 0.0
    for load in ladder:
        tried = [p for p in history if p.load == load]
        seconds = tried[-1].length_s if tried else length_s(search, limits, load, history)
        measured = tried[-1].requests_per_s if tried else None
        rate = load if search.over == "requests_per_s" else (most if measured is None else measured)
        ladder_s += seconds
        ladder_requests += rate * seconds
    spent_s = sum(p.seconds for p in history)
    spent_requests = sum(
        (p.load if search.over == "requests_per_s" else p.requests_per_s or 0.0) * p.seconds for p in history
    )
    seconds_less = ladder_s - spent_s
    return {
        "seconds": seconds_less,
        "requests": ladder_requests - spent_requests,
        "usd": None if usd_per_hour is None else seconds_less * usd_per_hour / SECONDS_PER_HOUR,
    }


def _name(search: SearchLoad, load: float) -> str:
    return f"{load:g} users" if search.over == "users" else f"{load:g} requests/s"
