"""How long a probe must be to say what it is asked. Pure."""

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.base.stats import SAMPLE_FLOORS
from harness.load.search.probes import Probe, Standing, standings
from harness.metrics.slo import SURE, Nearness
from harness.rundir.results import MIN_SLO_SAMPLES
from harness.scenario import Limit, SearchLoad

SPARE = 1.1  # probes are this much longer than the mean rate needs, since counts scatter
NEAR = (0.7, 1.5)  # of a limit: a load that is expected there is judged on more requests
GROWS_BY = 0.5  # the power of the load that the rate is taken to grow with, where only one load is known
MOST_TIMES = 20.0  # more requests than so many times those that are there are not worth waiting for


def samples_needed(limits: Sequence[Limit]) -> int:
    """Good requests that the strictest percentile of the limits needs (stats.SAMPLE_FLOORS)."""
    floors = [SAMPLE_FLOORS.get(limit.percentile, MIN_SLO_SAMPLES) for limit in limits]
    return max(floors, default=MIN_SLO_SAMPLES)


def samples_for_sure_pass(limits: Sequence[Limit]) -> int:
    """Good requests of which none over the strictest percentile's limit would be rare: 29 for p90, 59 for p95."""
    shares = [int(limit.percentile[1:]) / 100 for limit in limits]
    return max([math.ceil(math.log(SURE) / math.log(share)) for share in shares] + [MIN_SLO_SAMPLES])


def length_s(
    search: SearchLoad, limits: Sequence[Limit], load: float, history: Sequence[Probe], ratio: float | None = None
) -> float:
    """How long a probe must be for its percentile, within step_s and max_step_s; step_s where no rate is known.

    `ratio`: the worst percentile as a share of its limit as it is expected. Far from 1 it takes no more requests than
    a sure verdict needs; near 1, or where nobody knows, as many as make a percentile worth printing.
    """
    far = ratio is not None and not NEAR[0] <= ratio <= NEAR[1]
    return _for(
        search, samples_for_sure_pass(limits) if far else samples_needed(limits), expected_rate(search, load, history)
    )


def confirming_length_s(search: SearchLoad, limits: Sequence[Limit], standing: Standing) -> float:
    """How long a load that is not sure must be probed again: until it would be sure if it goes on as it began.

    Where that is more than max_step_s: long enough for a percentile worth printing.
    """
    rate = standing.rate_per_s or None
    wanted = more_to_be_sure(standing)
    if wanted is not None and rate and search.warmup_s + SPARE * wanted / rate <= search.max_step_s:
        return _for(search, wanted, rate)
    return max(_for(search, samples_needed(limits), rate), min(standing.probes[-1].length_s, search.max_step_s))


def more_to_be_sure(standing: Standing) -> int | None:
    """Further requests until the verdict would be sure, the share over each limit as it is; None: too many."""
    unsure = [near for near in standing.limits.values() if near.verdict(met=bool(standing.met)) == "not_sure"]
    totals = [_sure_from(near, met=bool(standing.met)) for near in unsure]
    known = [total - near.n for total, near in zip(totals, unsure, strict=True) if total is not None]
    if not known or (standing.met and len(known) < len(unsure)):
        return None
    return max(known) if standing.met else min(known)


def _sure_from(near: Nearness, *, met: bool) -> int | None:
    total = near.n
    while total <= MOST_TIMES * near.n:
        total = math.ceil(total * 1.1) + 1
        over = near.over * total / near.n
        one = replace(near, n=total, over=math.ceil(over) if met else math.floor(over))
        if one.verdict(met=met) != "not_sure":
            return total
    return None


def expected_rate(search: SearchLoad, load: float, history: Sequence[Probe]) -> float | None:
    """Requests per second that a load is expected to get; None where nothing is known.

    A rate gets itself. Users get what the nearest smaller number got, times a power of the load: as it grew between
    the last two (at most in proportion), half way between not at all and in proportion where there is only one.
    """
    if search.over == "requests_per_s":
        return load
    known = [(one.load, rate) for one in standings(history) if one.load <= load and (rate := one.rate_per_s)]
    if not known:
        return None
    last_load, last_rate = known[-1]
    power = GROWS_BY
    if len(known) > 1:
        before_load, before_rate = known[-2]
        power = min(max(math.log(last_rate / before_rate) / math.log(last_load / before_load), 0.0), 1.0)
    grown: float = last_rate * (load / last_load) ** power
    return max(grown, *(rate for _, rate in known))


def _for(search: SearchLoad, samples: int, rate: float | None) -> float:
    if not rate:
        return search.step_s
    wanted_s = search.warmup_s + SPARE * samples / rate
    return float(f"{min(max(wanted_s, search.step_s), search.max_step_s):.4g}")
