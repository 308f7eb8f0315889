"""What a search took, beside a fixed ladder that doubles. Pure."""

from collections.abc import Sequence

from harness.base.rounding import amount
from harness.base.units import SECONDS_PER_HOUR
from harness.load.search.lengths import length_s
from harness.load.search.probes import Probe, bracket, standings
from harness.load.search.words import load_words
from harness.rundir.search import Saved
from harness.scenario import Limit, SearchLoad


def saved(search: SearchLoad, limits: Sequence[Limit], history: Sequence[Probe], usd_per_hour: float | None) -> Saved:
    """What the search took less than the fixed ladder low, 2 low, 4 low ... high.

    A step of the ladder is as long as the first probe of its load; loads that were not tried are taken to get the
    most requests per second that any load got (a rate: the rate). Negative where the search took longer: it ends at a
    pass and a fail side by side, which the ladder leaves a factor of two apart.
    """
    loads = {one.load: one for one in standings(history)}
    most = max((p.requests_per_s or 0.0 for p in history), default=0.0)
    ladder_s = ladder_requests = 0.0
    for load in ladder(search):
        tried = loads.get(load)
        seconds = length_s(search, limits, load, history) if tried is None else tried.probes[0].length_s
        measured = None if tried is None else tried.rate_per_s
        rate = load if search.over == "requests_per_s" else (most if measured is None else measured)
        ladder_s += seconds
        ladder_requests += rate * seconds
    spent_s = sum(p.seconds for p in history)
    spent_requests = sum(
        (p.load if search.over == "requests_per_s" else p.requests_per_s or 0.0) * p.seconds for p in history
    )
    seconds_less = ladder_s - spent_s
    return Saved(
        seconds=round(seconds_less, 3),
        requests=round(ladder_requests - spent_requests, 1),
        usd=None if usd_per_hour is None else round(seconds_less * usd_per_hour / SECONDS_PER_HOUR, 6),
    )


def ladder(search: SearchLoad) -> list[float]:
    """`low`, twice that, ... `high`."""
    loads = [search.low]
    while loads[-1] < search.high:
        loads.append(min(loads[-1] * 2, search.high))
    return loads


def saved_words(search: SearchLoad, history: Sequence[Probe], less: Saved) -> str:
    """What that was, said either way; empty where it was nothing."""
    cost = "" if less.usd is None else f", USD {amount(abs(less.usd))}"
    if less.seconds >= 1:
        return f" (saved {less.requests:,.0f} requests, {less.seconds:.0f} s{cost} against the fixed ladder)"
    if less.seconds > -1:
        return ""
    return f" (took {-less.seconds:.0f} s{cost} more than {ladder_words(search)}{_left_open(search, history)})"


def ladder_words(search: SearchLoad) -> str:
    """Which ladder."""
    return f"a ladder that doubles from {search.low:g} to {load_words(search, search.high)}"


def _left_open(search: SearchLoad, history: Sequence[Probe]) -> str:
    """What the ladder would have left open: its two steps around the answer."""
    best, fail = bracket(standings(history))
    if best is None or fail is None:
        return ""
    steps = ladder(search)
    below = max((load for load in steps if load <= best.load), default=None)
    above = min((load for load in steps if load >= fail.load), default=None)
    if below is None or above is None:
        return ""
    return f", which would have left {below:g} to {load_words(search, above)} open"
