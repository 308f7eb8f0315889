"""A step's rates and verdict out of records, and the run's goodput out of its steps."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.backends.faults import Refusal
from harness.base.stats import Floats
from harness.metrics.goodput import JudgedStep, RunGoodput, goodput_of
from harness.metrics.pooled import ERRORS, judge_together, rate_together
from harness.metrics.rate import Rate, Served, busy_share, rate_of
from harness.metrics.slo import NOT_JUDGED, LimitSample, Nearness, SloVerdict, judge
from harness.metrics.windows import Columns, Window
from harness.rundir.results import Goodput, Step
from harness.rundir.steps import RanStep
from harness.scenario import Limit, RampLoad, Scenario

Which = np.ndarray[Any, np.dtype[np.bool_]]
BROKEN = SloVerdict("no", False)
_REFUSED_BY: dict[Refusal, str] = {"quota": "the endpoint's quota", "access": "the endpoint's check of the key"}


def rate_over(data: Columns, window: Window, which: Which, ran: RanStep, scenario: Scenario) -> Rate | None:
    """Requests per second of some of the requests, by the share of their service in the window; None without one.

    Users who go on as soon as they are answered share the window among their requests, so that longer ones leave room
    for fewer; where lengths grow with the turn, or the load changes, nothing is known beforehand of how.
    """
    if window.length_s <= 0:
        return None
    has_own_lengths = isinstance(scenario.load, RampLoad) or scenario.has_conversations
    tokens = np.full(len(data.output_tokens), np.nan) if has_own_lengths else data.output_tokens
    users = None if scenario.load.is_open else ran.load.users
    busy = 0.0
    if users:
        ended_s = np.where(np.isnan(data.ended_s), window.end_s, data.ended_s)
        known = ~np.isnan(data.sent_s)
        busy = busy_share(data.sent_s[known], ended_s[known], window, users)
    which = which & ~np.isnan(data.sent_s) & ~np.isnan(data.finished_s)
    return rate_of(
        Served(data.sent_s[which], data.finished_s[which], data.prompt_tokens[which], tokens[which]), window, busy=busy
    )


def within(data: Columns, limits: Sequence[Limit]) -> Which:
    """Which requests ended well and within every limit; a latency that nobody knows is within none."""
    good = data.ok
    for limit in limits:
        good = good & ~(data.latency_s(limit.latency) > limit.seconds) & ~data.is_unknown(limit.latency)
    return good


def limit_samples(data: Columns, timed: Which, limits: Iterable[Limit]) -> dict[str, LimitSample]:
    """What each limit is judged by, by its key: the latencies of a window's good requests, unknown ones as a number."""
    found = {}
    for limit in limits:
        values_s: Floats = data.latency_s(limit.latency)[timed]
        unknown = int((data.is_unknown(limit.latency) & timed).sum())
        known_s = values_s[~np.isnan(values_s)]
        found[limit.key] = LimitSample(int(limit.percentile[1:]), limit.seconds, known_s, unknown)
    return found


def judge_step(
    requests: int, failed: int, refused: Mapping[Refusal, int], samples: Sequence[LimitSample], error_rate: float
) -> tuple[SloVerdict, str | None]:
    """The verdict, and why there is none where more than may fail were refused by others than the server.

    Where those that it took break a limit all the same, that counts: under the whole load they would, too.
    """
    count = sum(refused.values())
    if count <= error_rate * requests:
        return judge(requests, failed, samples, error_rate), None
    taken = judge(requests - count, failed - count, samples, error_rate)
    if taken.met is False:
        return taken, None
    told = " and ".join(_REFUSED_BY[kind] for kind, n in refused.items() if n)
    return NOT_JUDGED, f"{told} refused {count / requests:.0%} of the requests"


def judged_by_own_load(steps: Sequence[Step]) -> list[Step]:
    """The steps in the order in which they ran; one that fails under the queue of a heavier load is not judged.

    What such a step could serve by itself nobody saw. One that keeps its limits all the same has kept them.
    """
    out: list[Step] = []
    heaviest = 0.0  # that failed since there was no queue
    for step in steps:
        heaviest = heaviest if step.queue_at_start else 0.0
        failed = step.slo_met is False
        inherits = failed and heaviest > step.load.size
        changed = {"slo_met": None, "slo_verdict": "not_judged", "inherited_queue": True}
        out.append(step.model_copy(update=changed) if inherits else step)
        heaviest = max(heaviest, step.load.size if failed else 0.0)
    return out


def run_goodput(steps: Sequence[Step], error_rate: float) -> Goodput | None:
    """The run's goodput from its steps; those of one load are taken as one.

    None where a replica failed in any: the fleet is not the one that was named. Other steps that are void are left out.
    None where a step that was not judged, for another's queue or for what refused its requests, lies between the best
    that passed and the first that failed: the box may serve that load as well.
    """
    if any(one.failing for step in steps for one in step.replicas):
        return None
    by_load: dict[float, list[Step]] = {}
    for step in steps:
        if not step.inherited_queue and step.void is None:
            by_load.setdefault(step.load.size, []).append(step)
    judged = [_judged(load, same, error_rate) for load, same in by_load.items()]
    found = goodput_of(judged)
    if found is None or _may_be_more(found, steps, judged):
        return None
    return Goodput(
        requests_per_s=found.per_s,
        low=found.low,
        high=found.high,
        step=found.step,
        at_least=found.at_least,
        at_most=found.at_most,
    )


def _may_be_more(found: RunGoodput, steps: Sequence[Step], judged: Sequence[JudgedStep]) -> bool:
    best = next((one.load for one in judged if one.step == found.step), 0.0)
    failing = min((one.load for one in judged if one.slo.met is False and one.load > best), default=math.inf)
    unseen = (step for step in steps if step.inherited_queue or (step.was_refused and failing < math.inf))
    return any(best < step.load.size < failing for step in unseen)


def _judged(load: float, same: Sequence[Step], error_rate: float) -> JudgedStep:
    whole = [step for step in same if not step.was_lost]
    best = max(same, key=lambda step: (step.goodput_requests_per_s is not None, step.window.length_s))
    rates = [Rate(step.goodput_requests_per_s or 0.0, step.goodput_low, step.goodput_high) for step in whole or same]
    if len(same) == 1:
        slo = SloVerdict(best.verdict, best.slo_met)
    elif len(whole) < len(same):
        slo = BROKEN  # one was cut, or grew a queue
    else:
        slo = judge_together([_near(step, error_rate) for step in same], [step.slo_met for step in same])
    slo = slo if any(step.requests for step in same) else NOT_JUDGED
    return JudgedStep(best.step, load, rate_together(rates), slo, is_open=best.load.users is None)


def _near(step: Step, error_rate: float) -> dict[str, Nearness]:
    limits = {key: Nearness(**one.model_dump()) for key, one in step.limits.items()}
    return limits | {ERRORS: Nearness(100 * (1 - error_rate), step.requests, step.failed)}
