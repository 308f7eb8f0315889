"""`decide`: the money alone. Workload, measured box and API price in; the volumes where the box wins out."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness.base.errors import UsageError
from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_MONTH, TOKENS_PER_MTOK
from harness.base.workload import RequestClass, Workload
from harness.base.yamlfile import validate
from harness.cost.breakeven.staircase import MOST_INSTANCES, Staircase, break_even, is_tie
from harness.rundir.decide import Api, AtVolume, Decided, DecideInput, VerdictInterval


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
    return decide_parsed(parse(inputs)).to_dict()


def parse(inputs: Mapping[str, Any], *, where: str = "decide input") -> DecideInput:
    """`inputs` checked, defaults filled in.

    Raises:
        UsageError: an unknown or missing key, a wrong type, a value out of range; names key and value.
    """
    if not isinstance(inputs, Mapping):
        raise UsageError(f"{where} must be a mapping, got {type(inputs).__name__}")
    return validate(DecideInput, {key: _plain(value) for key, value in inputs.items()}, where=where)


def _plain(value: Any) -> Any:
    """Mappings of any kind as dicts, inside lists too."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def decide_parsed(inputs: DecideInput) -> Decided:
    """`decide` for an input that was checked already.

    Raises:
        UsageError: amounts so far apart (a price of 1e-320) that what comes out is no number.
    """
    try:
        return _decided(inputs)
    except (ArithmeticError, ValidationError):
        raise UsageError(
            "these amounts lie too far apart to decide on: what comes out is no finite number",
            hint="is one of them off by many powers of ten?",
        ) from None


def _decided(inputs: DecideInput) -> Decided:
    work, box = inputs.workload, inputs.self_host
    stairs = staircase(inputs, box.goodput_requests_per_s)
    found = break_even(stairs)
    return Decided(
        api_usd_per_task=stairs.usd_per_task,
        attempts_per_task=attempts_per_task(work),
        success_rate=success_rate(work),
        capacity_tasks_per_month=stairs.capacity,
        verdict=found.verdict,
        first_win_tasks_per_month=found.first,
        permanent_win_tasks_per_month=found.permanent,
        winning_windows=found.windows,
        windows_truncated=found.truncated,
        min_goodput_requests_per_s=min_goodput(inputs),
        at_volume=None if work.tasks_per_month is None else _at_volume(stairs, work.tasks_per_month),
        interval=_interval(inputs),
    )


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
    return (
        (kind.input_tokens - kind.cached_input_tokens) * api.input_usd_per_mtok
        + kind.cached_input_tokens * api.cache_read_usd_per_mtok
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


def staircase(inputs: DecideInput, goodput: float | None) -> Staircase:
    """The comparison at a goodput, reduced to the numbers that decide it."""
    work, box, api = inputs.workload, inputs.self_host, inputs.api
    return Staircase(
        usd_per_task=usd_per_task(work, api),
        usd_per_instance_month=box.usd_per_hour * HOURS_PER_MONTH,
        capacity=capacity(work, box.max_load, goodput),
        self_fixed_usd=box.fixed_usd_per_month,
        api_fixed_usd=api.fixed_usd_per_month,
        min_instances=box.min_instances,
    )


def min_goodput(inputs: DecideInput) -> float | None:
    """G_min = cH phi m(1-h) / (a' rho S), requests/s; None if the API is free."""
    work, box = inputs.workload, inputs.self_host
    per_task = usd_per_task(work, inputs.api)
    if per_task <= 0:
        return None
    month = box.usd_per_hour * HOURS_PER_MONTH
    return month * calls_at_peak(work) / (per_task * box.max_load * SECONDS_PER_MONTH)


def _at_volume(stairs: Staircase, tasks: float) -> AtVolume:
    api_usd = stairs.api_usd(tasks)
    if stairs.capacity is None:
        return AtVolume(tasks_per_month=tasks, api_usd=api_usd, winner="api")
    if tasks / MOST_INSTANCES > stairs.capacity:
        raise UsageError(
            f"`workload.tasks_per_month`: {tasks:g} tasks would take more than {MOST_INSTANCES:.0e} instances"
            f" of {stairs.capacity:.3g} tasks a month each",
            hint="check the volume and `self_host.goodput_requests_per_s`",
        )
    count = stairs.instances(tasks)
    self_usd = stairs.self_usd(count)
    return AtVolume(
        tasks_per_month=tasks,
        instances=count,
        utilization=stairs.utilization(tasks),
        self_usd=self_usd,
        api_usd=api_usd,
        self_usd_per_task=self_usd / tasks if tasks > 0 else None,
        winner="self_host" if self_usd <= api_usd or is_tie(self_usd, api_usd) else "api",
    )


def _interval(inputs: DecideInput) -> VerdictInterval | None:
    low, high = inputs.self_host.goodput_low, inputs.self_host.goodput_high
    if low is None or high is None:
        return None
    return VerdictInterval(
        verdict_at_low=break_even(staircase(inputs, low)).verdict,
        verdict_at_high=break_even(staircase(inputs, high)).verdict,
    )
