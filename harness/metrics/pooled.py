"""Several steps of one load as one: their counts add up, their rates span what they differ by. Pure functions.

A search probes the load that it ends at again, some minutes later. Requests, and those over each limit, are added up
and judged as one step's. What a single step cannot show, an engine that is faster in one minute than in the next, two
show: where one kept the limits and the other broke them by more than chance explains, the load is not sure, however
many requests there are.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from harness.metrics.rate import Rate
from harness.metrics.slo import Nearness, SloVerdict, worst

ERRORS = "error_rate"  # the share of failed requests, among the limits
CHANCE = 3.84  # the chi-square of one degree of freedom that chance exceeds once in twenty times

Limits = Mapping[str, Nearness]


def judge_together(steps: Sequence[Limits], met: Sequence[bool | None]) -> SloVerdict:
    """The verdict on one load by all its steps; `met`: what each alone says by its point percentiles."""
    together = worst(_judged(key, near) for key, near in add_up(steps).items())
    agree = len(set(met)) == 1 or all(_agree(near) for near in _by_key(steps).values())
    if agree or together.verdict == "not_judged":
        return together
    return SloVerdict("not_sure", together.met)


def add_up(steps: Sequence[Limits]) -> dict[str, Nearness]:
    """Each limit's counts of all steps; of the percentiles' logarithms the mean, weighed by the counts."""
    return {key: _added(near) for key, near in _by_key(steps).items()}


def rate_together(rates: Sequence[Rate]) -> Rate:
    """The mean of the rates of one load's steps; half its interval is theirs by the root of their number, or the range
    between them where that is more: they were measured in other minutes.

    Example: 9.8 to 10.2 and 10.8 to 11.2 -> 10.5, 9.5 .. 11.5.
    """
    mean = sum(rate.per_s for rate in rates) / len(rates)
    halves = [(rate.high - rate.low) / 2 for rate in rates if rate.high is not None and rate.low is not None]
    if len(halves) < len(rates):
        return Rate(mean)
    apart = max(rate.per_s for rate in rates) - min(rate.per_s for rate in rates)
    half = max(math.hypot(*halves) / len(rates), apart)
    return rates[0] if len(rates) == 1 else Rate(mean, max(mean - half, 0.0), mean + half)


def _by_key(steps: Sequence[Limits]) -> dict[str, list[Nearness]]:
    found: dict[str, list[Nearness]] = {}
    for limits in steps:
        for key, near in limits.items():
            found.setdefault(key, []).append(near)
    return found


def _agree(near: Sequence[Nearness]) -> bool:
    """Whether the shares over a limit differ by no more than chance: each by its counts alone, a homogeneity test.

    Where they do not, the server changes between probes by more than the requests of one can show.
    """
    n, over = sum(one.n for one in near), sum(one.over for one in near)
    if not 0 < over < n:
        return True
    share = over / n
    spread = sum((one.over - one.n * share) ** 2 / (one.n * share * (1 - share)) for one in near if one.n)
    return spread <= CHANCE * (len(near) - 1)


def _judged(key: str, near: Nearness) -> SloVerdict:
    """A limit is met where no more are over it than may be; a small share of failures is never surely kept.

    It is not judged where those whose latency nobody knows could decide it.
    """
    may_be = (1 - near.percentile / 100) * (near.n + near.unknown) + 1e-9
    met = near.over <= may_be
    if near.unknown and (not near.n or met != (near.over + near.unknown <= may_be)):
        return SloVerdict("not_judged", None)
    verdict = near.verdict(met=met)
    if verdict == "not_judged":
        return SloVerdict(verdict, None)
    return SloVerdict("yes" if met and key == ERRORS else verdict, met)


def _added(near: Sequence[Nearness]) -> Nearness:
    """The doubt of the percentile falls with the root of the number."""
    if len(near) == 1:
        return near[0]
    weights = [one.n / max(sum(other.n for other in near), 1) for one in near]
    ratio = _mean_log(zip((one.ratio for one in near), weights, strict=True))
    low = _mean_log(zip((one.low for one in near), weights, strict=True))
    high = _mean_log(zip((one.high for one in near), weights, strict=True))
    narrower = math.hypot(*weights)
    return Nearness(
        near[0].percentile,
        sum(one.n for one in near),
        sum(one.over for one in near),
        ratio,
        None if low is None or ratio is None else ratio * (low / ratio) ** narrower,
        None if high is None or ratio is None else ratio * (high / ratio) ** narrower,
        sum(one.spread * weight for one, weight in zip(near, weights, strict=True)) or 1.0,
        sum(one.unknown for one in near),
    )


def _mean_log(weighed: Iterable[tuple[float | None, float]]) -> float | None:
    """The weighted geometric mean; None where one is unknown or nothing has weight."""
    total = 0.0
    pairs = list(weighed)
    for value, weight in pairs:
        if not value:
            return None
        total += weight * math.log(value)
    return math.exp(total) if any(weight for _, weight in pairs) else None
