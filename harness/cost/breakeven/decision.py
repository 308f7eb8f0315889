"""`decide`: the money alone. Workload, measured box and API price in; the volumes where the box wins out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.errors import UsageError
from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_MONTH, TOKENS_PER_MTOK
from harness.cost.breakeven.inputs import Api, DecideInput, SelfHost, parse
from harness.cost.breakeven.staircase import (
    MOST_INSTANCES,
    ROUNDING,
    BreakEven,
    Staircase,
    break_even,
    instances_for,
)
from harness.demand.workload import RequestClass, Workload


def decide(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """At which monthly volumes a rented box beats an API, from the box's measured goodput.

    Input (required keys marked *; the others show their default)::

        {"workload": {"tasks_per_month": None,          # R, to fill `at_volume`
                      "classes": [{"name": "", "weight": 1, "input_tokens"*, "cached_input_tokens": 0,
                                   "output_tokens"*}],
                      "retry_failure_rate": 0,          # p, share of attempts that fail
                      "max_retries": 0,                 # k; None: until success
                      "response_cache_hit_rate": 0,     # h, share of tasks no model sees
                      "peak_to_mean": 1,                # or "hourly_profile": 24 or 168 weights
                      "hourly_profile": None},
         "self_host": {"usd_per_hour"*, "goodput_requests_per_s"*,   # None or 0: infeasible
                       "goodput_low": None, "goodput_high": None,    # both: fills `interval`
                       "max_load": 1, "min_instances": 1, "fixed_usd_per_month": 0},
         "api": {"input_usd_per_mtok"*, "cached_input_usd_per_mtok": None, "output_usd_per_mtok"*,
                 "fixed_usd_per_month": 0}}

    Output: `api_usd_per_task` = a m (1-h) without fixed costs, `attempts_per_task` m, `success_rate`,
    `capacity_tasks_per_month` K of one instance, `verdict` never|window|yes, `first_win_tasks_per_month`,
    `permanent_win_tasks_per_month`, `winning_windows` [[low, high or None]] (at most 100, then the permanent
    one; `windows_truncated`), `min_goodput_requests_per_s` at which one full instance pays for itself,
    `at_volume` (bills of both sides with their fixed costs; None without a volume) and `interval` (the
    verdict at both ends of the goodput's interval). A tie is a win of self_host.

    Raises:
        UsageError: unknown or missing key, wrong type, value out of range; names the key and the value.
    """
    return decide_parsed(parse(inputs))


def decide_parsed(inputs: DecideInput) -> dict[str, Any]:
    """`decide` for an input that was checked already."""
    work, box, api = inputs.workload, inputs.self_host, inputs.api
    per_task = usd_per_task(work, api)
    stairs = staircase(work, box, api, box.goodput_requests_per_s)
    found = break_even(stairs)
    return {
        "api_usd_per_task": per_task,
        "attempts_per_task": attempts_per_task(work),
        "success_rate": success_rate(work),
        "capacity_tasks_per_month": stairs.capacity,
        "verdict": found.verdict,
        "first_win_tasks_per_month": found.first,
        "permanent_win_tasks_per_month": found.permanent,
        "winning_windows": [list(window) for window in found.windows],
        "windows_truncated": found.truncated,
        "min_goodput_requests_per_s": min_goodput(work, box, api),
        "at_volume": _at_volume(stairs, work.tasks_per_month, box, api),
        "interval": _interval(work, box, api),
    }


def attempts_per_task(work: Workload) -> float:
    """m = (1 - p^(k+1))/(1 - p) model calls per task that reaches a model; 1/(1-p) without a cap."""
    return success_rate(work) / (1 - work.retry_failure_rate)


def success_rate(work: Workload) -> float:
    """q = 1 - p^(k+1), share of tasks that succeed within the allowed retries."""
    if work.max_retries is None:
        return 1.0
    return 1.0 - float(work.retry_failure_rate) ** (work.max_retries + 1)


def usd_per_attempt(classes: list[RequestClass], api: Api) -> float:
    """a, the mean price of one call over the classes' weights."""
    total = sum(c.weight for c in classes)
    return sum(c.weight / total * _call_usd(c, api) for c in classes)


def _call_usd(kind: RequestClass, api: Api) -> float:
    cached = (
        api.input_usd_per_mtok if api.cached_input_usd_per_mtok is None else api.cached_input_usd_per_mtok
    )
    return (
        (kind.input_tokens - kind.cached_input_tokens) * api.input_usd_per_mtok
        + kind.cached_input_tokens * cached
        + kind.output_tokens * api.output_usd_per_mtok
    ) / TOKENS_PER_MTOK


def usd_per_task(work: Workload, api: Api) -> float:
    """a' = a m (1-h), the API's price of a task without fixed costs."""
    return usd_per_attempt(work.classes, api) * attempts_per_task(work) * (1 - work.response_cache_hit_rate)


def calls_at_peak(work: Workload) -> float:
    """phi m (1-h): model calls in the busiest hour for each task of the mean hour."""
    return work.peak() * attempts_per_task(work) * (1 - work.response_cache_hit_rate)


def capacity(work: Workload, max_load: float, goodput: float | None) -> float | None:
    """K = rho G S / (phi m (1-h)) tasks a month that one instance serves; None when infeasible."""
    if not goodput:
        return None
    return max_load * goodput * SECONDS_PER_MONTH / calls_at_peak(work) or None


def staircase(work: Workload, box: SelfHost, api: Api, goodput: float | None) -> Staircase:
    """The comparison, reduced to the numbers that decide it."""
    return Staircase(
        usd_per_task=usd_per_task(work, api),
        usd_per_instance_month=box.usd_per_hour * HOURS_PER_MONTH,
        capacity=capacity(work, box.max_load, goodput),
        fixed_usd=box.fixed_usd_per_month - api.fixed_usd_per_month,
        min_instances=box.min_instances,
    )


def min_goodput(work: Workload, box: SelfHost, api: Api) -> float | None:
    """G_min = cH phi m(1-h) / (a' rho S), requests/s; None if the API is free."""
    per_task = usd_per_task(work, api)
    if per_task <= 0:
        return None
    month = box.usd_per_hour * HOURS_PER_MONTH
    return month * calls_at_peak(work) / (per_task * box.max_load * SECONDS_PER_MONTH)


def _at_volume(stairs: Staircase, tasks: float | None, box: SelfHost, api: Api) -> dict[str, Any] | None:
    if tasks is None:
        return None
    api_usd = stairs.usd_per_task * tasks + api.fixed_usd_per_month
    count = self_usd = utilization = None
    winner = "api"
    if stairs.capacity is not None:
        count = _instances(tasks, stairs.capacity, stairs.min_instances)
        self_usd = count * stairs.usd_per_instance_month + box.fixed_usd_per_month
        utilization = tasks / (count * stairs.capacity)
        winner = "self_host" if self_usd <= api_usd + ROUNDING * max(self_usd, api_usd) else "api"
    return {
        "tasks_per_month": tasks,
        "instances": count,
        "utilization": utilization,
        "self_usd": self_usd,
        "api_usd": api_usd,
        "self_usd_per_task": self_usd / tasks if self_usd is not None and tasks > 0 else None,
        "winner": winner,
    }


def _instances(tasks: float, per_instance: float, min_instances: int) -> int:
    if tasks / MOST_INSTANCES > per_instance:
        raise UsageError(
            f"`workload.tasks_per_month`: {tasks:g} tasks would take more than {MOST_INSTANCES:.0e} instances"
            f" of {per_instance:.3g} tasks a month each",
            hint="check the volume and `self_host.goodput_requests_per_s`",
        )
    return int(instances_for(tasks, per_instance, min_instances))


def _interval(work: Workload, box: SelfHost, api: Api) -> dict[str, Any] | None:
    if box.goodput_low is None or box.goodput_high is None:
        return None

    def verdict(goodput: float) -> str:
        found: BreakEven = break_even(staircase(work, box, api, goodput))
        return found.verdict

    return {"verdict_at_low": verdict(box.goodput_low), "verdict_at_high": verdict(box.goodput_high)}
