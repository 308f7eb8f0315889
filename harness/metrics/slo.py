"""Whether a step keeps its limits, and how sure that is. Pure functions.

A percentile of a few hundred requests is itself uncertain. Were p % of all requests within the limit, the number over
it among n would be binomial with the share 1 - p; so the limit is *surely* kept where so few (or fewer) would be over
at most once in twenty times, *surely* broken where so many (or more) would: order statistics, one-sided at 95 %,
without any assumption on the latencies. Such a pass takes at least 29 requests for p90, 59 for p95, 299 for p99; at
128 p95 passes surely with at most 2 over and fails surely from 12. A failed request is over every limit.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from harness.base.stats import Floats
from harness.rundir.results import MIN_SLO_SAMPLES

Verdict = Literal["yes", "no", "not_sure", "not_judged"]
SURE = 0.05  # one-sided
BATCHES, MIN_IN_BATCH = 8, 5  # that the counts over a limit are looked at in
MOST_LAG1 = 0.8


@dataclass(frozen=True, slots=True)
class LimitSample:
    """One limit and the good requests' latencies it is judged by."""

    percentile: float  # 95
    limit_s: float
    values_s: Floats  # the known ones
    unknown: int = 0  # requests beside them


@dataclass(frozen=True, slots=True)
class SloVerdict:
    """`met` by the point percentile and the share of failures (None: not judged); `verdict` says how sure."""

    verdict: Verdict
    met: bool | None


NOT_JUDGED = SloVerdict("not_judged", None)


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near some requests come to a limit: how many are over it, and their percentile as a share of it.

    `low` and `high` are order statistics, each one-sided at 95 %: the limit is surely kept where `high` <= 1, surely
    broken where `low` > 1. None: too few for that end, or a failed request is there, which took for ever.
    """

    percentile: float
    n: int  # the failed ones too
    over: int  # the failed ones too
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    spread: float = 1.0  # variance of the count over it, as a multiple of independent requests'
    unknown: int = 0  # good requests beside them, whose latency nobody knows

    def verdict(self, *, met: bool) -> Verdict:
        """How sure the percentile's own verdict is, by the counts alone, so that those of several probes add up."""
        if self.n < MIN_SLO_SAMPLES:
            return "not_judged"
        tail = 1 - self.percentile / 100
        n, over = self.n / self.spread, self.over / self.spread
        rare = at_most(math.ceil(n), tail, math.ceil(over)) if met else at_least(math.ceil(n), tail, math.floor(over))
        if rare > SURE:
            return "not_sure"
        return "yes" if met else "no"


def judge(requests: int, failed: int, samples: Sequence[LimitSample], error_rate: float) -> SloVerdict:
    """The step's verdict. Any limit surely broken: no; else any not judged; else any not sure; else yes.

    `requests` counts the failed ones too. Each limit, that on failures among them, is judged from 10 requests on.
    """
    return worst([judge_errors(requests, failed, error_rate), *(judge_limit(sample, failed) for sample in samples)])


def judge_limit(sample: LimitSample, failed: int) -> SloVerdict:
    """One latency limit; the failed requests are over it.

    Those whose latency nobody knows may be over it or not: where that would make a difference, nothing is judged.
    """
    if sample.unknown:
        known_s, unknown = sample.values_s, sample.unknown
        if not len(known_s):
            return NOT_JUDGED
        over = judge_limit(replace(sample, unknown=0), failed + unknown)
        within = judge_limit(replace(sample, values_s=np.append(known_s, np.zeros(unknown)), unknown=0), failed)
        return over if over.met else within if within.met is False else NOT_JUDGED
    counted = _counted(sample, failed)
    if counted.n < MIN_SLO_SAMPLES:
        return NOT_JUDGED
    met = percentile_with_failed(sample.values_s, failed, sample.percentile) <= sample.limit_s
    return SloVerdict(counted.verdict(met=met), met)


def nearness(sample: LimitSample, failed: int) -> Nearness:
    """How near one limit is; the failed requests are over it.

    Example: p95 of 59 requests: one of the highest is above the true percentile in 95.15 % of all cases, so the
    highest is its upper end.
    """
    counted = _counted(sample, failed)
    n, tail = counted.n, 1 - sample.percentile / 100
    if not n:
        return counted
    ordered_s = np.append(np.sort(sample.values_s), [math.inf] * failed)
    spread = _spread(sample.values_s > sample.limit_s)
    chances = _chances(n, tail)
    few = int(np.searchsorted(chances, 1 - SURE))  # more than so many over it would be rare
    many = int(np.searchsorted(chances, SURE, side="right"))  # fewer than so many over it would be rare
    return replace(
        counted,
        ratio=_share(percentile_with_failed(sample.values_s, failed, sample.percentile), sample.limit_s),
        low=None if few >= n else _share(float(ordered_s[n - 1 - few]), sample.limit_s),
        high=None if not many else _share(float(ordered_s[n - many]), sample.limit_s),
        spread=spread,
    )


def _counted(sample: LimitSample, failed: int) -> Nearness:
    over = int((sample.values_s > sample.limit_s).sum())
    return Nearness(sample.percentile, len(sample.values_s) + failed, over + failed, unknown=sample.unknown)


def _share(value_s: float, limit_s: float) -> float | None:
    return value_s / limit_s if math.isfinite(value_s) else None


def judge_errors(requests: int, failed: int, error_rate: float) -> SloVerdict:
    """The share that may fail: kept by the point, since a small share is never surely kept; broken like a limit."""
    if requests < MIN_SLO_SAMPLES:
        return NOT_JUDGED
    if failed <= error_rate * requests:
        return SloVerdict("yes", True)
    return SloVerdict("no" if at_least(requests, error_rate, failed) <= SURE else "not_sure", False)


def worst(verdicts: Iterable[SloVerdict]) -> SloVerdict:
    """Of several limits: the first that there is of no, not judged, not sure, yes."""
    every = list(verdicts)
    words = [one.verdict for one in every]
    order: tuple[Verdict, ...] = ("no", "not_judged", "not_sure", "yes")
    verdict = next(word for word in order if word in words)
    if any(one.met is False for one in every):
        return SloVerdict(verdict, False)
    return SloVerdict(verdict, None if verdict == "not_judged" else True)


def percentile_with_failed(values_s: Floats, failed: int, percentile: float) -> float:
    """A percentile by linear interpolation, where failed requests took for ever."""
    ordered = np.sort(values_s)
    place = (len(ordered) + failed - 1) * percentile / 100
    below = math.floor(place + 1e-9)
    part = max(place - below, 0.0)
    if below >= len(ordered) or (part > 1e-9 and below + 1 >= len(ordered)):
        return math.inf
    low = float(ordered[below])
    return low if part <= 1e-9 else low + part * (float(ordered[below + 1]) - low)


def at_most(n: int, share: float, k: int) -> float:
    """The chance that at most k of n are over a limit that each is over with the chance `share`.

    Example: none of 59 at 5 %: 0.95 ** 59 = 0.0485.
    """
    if k < 0:
        return 0.0
    if share <= 0 or k >= n:
        return 1.0
    i = np.arange(1, k + 1)
    steps = np.log((n - i + 1) / i) + math.log(share / (1 - share))
    return min(float(np.exp(n * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])).sum()), 1.0)


def at_least(n: int, share: float, k: int) -> float:
    """The chance that at least k of n are."""
    return 1 - at_most(n, share, k - 1)


def _chances(n: int, share: float) -> Floats:
    """`at_most` for every k from 0 to n."""
    i = np.arange(1, n + 1)
    steps = np.log((n - i + 1) / i) + math.log(share / (1 - share))
    chances: Floats = np.cumsum(np.exp(n * math.log1p(-share) + np.concatenate([[0.0], np.cumsum(steps)])))
    return chances


def _spread(is_over: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """The variance of the counts over a limit in eight batches, in the order of the requests, as a multiple of the
    binomial's; raised by the correlation of neighbouring batches (Kendall's bias taken off), at least 1.

    Requests that meet the same burst, or the same slow minute, are over a limit together: 250 of them may say no more
    than 25.
    """
    share = float(is_over.mean()) if len(is_over) else 0.0
    if len(is_over) < BATCHES * MIN_IN_BATCH or share in (0.0, 1.0):
        return 1.0
    counts = np.array([part.sum() for part in np.array_split(is_over, BATCHES)], dtype=float)
    off = counts - counts.mean()
    square = float((off**2).sum())
    ratio = square / (BATCHES - 1) / (len(is_over) / BATCHES * share * (1 - share))
    lag1 = float((off[1:] * off[:-1]).sum()) / square + 1 / BATCHES if square else 0.0
    lag1 = min(max(lag1, 0.0), MOST_LAG1)
    return max(ratio * (1 + lag1) / (1 - lag1), 1.0)
