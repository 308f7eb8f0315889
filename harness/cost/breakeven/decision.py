"""`decide`: the money alone. Workload, measured box and API price in; the volumes where the box wins out."""

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ValidationError

from harness.base.errors import UsageError
from harness.base.money import OF_A_MILLION
from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH, TOKENS_PER_MTOK
from harness.base.workload import RequestClass, Workload
from harness.base.yamlfile import Strict, validate
from harness.cost.breakeven.exact import Numbers, ceil, floor, is_tie
from harness.cost.breakeven.hours import Hours
from harness.cost.breakeven.staircase import MOST_INSTANCES, Staircase
from harness.cost.breakeven.windows import break_even
from harness.rundir.decide import Api, AtVolume, Decided, DecideInput, SelfHost, VerdictInterval


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

    How either side may be paid otherwise: `harness/base/terms.py`, each key with a default that changes nothing.

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
    plain = {key: _plain(value) for key, value in inputs.items()}
    given = validate(DecideInput, plain, where=where)
    # what Breakeven works out itself may be lower: a mix of few calls
    validate(_Typed, {"api": given.api.model_dump(include=set(_TypedRates.model_fields))}, where=where)
    return given


class _TypedRates(Strict):
    """The API's prices as a person types them."""

    input_usd_per_mtok: Annotated[float, OF_A_MILLION]
    cached_input_usd_per_mtok: Annotated[float, OF_A_MILLION] | None
    output_usd_per_mtok: Annotated[float, OF_A_MILLION]


class _Typed(Strict):
    api: _TypedRates


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
        api_usd_per_task=usd_per_task(work, inputs.api),
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


def api_calls_per_task(work: Workload, api: Api) -> float:
    """Calls of the API for a task that reaches it: m, or q/s where it has a success rate s of its own."""
    return attempts_per_task(work) if api.success_rate is None else success_rate(work) / api.success_rate


def usd_per_attempt(classes: list[RequestClass], api: Api) -> float:
    """a, the mean price of one call over the classes' weights."""
    total = sum(c.weight for c in classes)
    return sum(
        c.weight / total * call_usd(api, c.input_tokens, c.cached_input_tokens, c.output_tokens) for c in classes
    )


def call_usd(api: Api, given: Numbers, cached: Numbers, output: Numbers) -> Numbers:
    """What one call costs, or several: of tokens as the demand counts them, made into the API's own."""
    given, cached, output = _own_tokens(api, given, cached, output)
    tokens_usd = (
        (given - cached) * api.input_usd_per_mtok
        + cached * api.cache_read_usd_per_mtok
        + output * api.output_usd_per_mtok
    ) / TOKENS_PER_MTOK
    return (tokens_usd + api.usd_per_request) * (1 + api.surcharge)


def _own_tokens(api: Api, given: Numbers, cached: Numbers, output: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """(input, of it cached, output with reasoning) of a call in the API's tokens."""
    given = given * api.tokenizer_ratio
    cached = cached * api.tokenizer_ratio if api.cached_share is None else given * api.cached_share
    return given, cached, output * api.tokenizer_ratio * api.output_ratio + api.reasoning_tokens


def api_tokens(work: Workload, api: Api) -> tuple[float, float, float]:
    """(input, of it cached, output) tokens of the API's mean call, as it counts and bills them."""
    return _own_tokens(api, *work.mean_tokens())


def api_calls(work: Workload, api: Api) -> float:
    """Calls of the API for each task of the month, those answered by the response cache among them."""
    return api_calls_per_task(work, api) * (1 - work.response_cache_hit_rate)


def usd_per_task(work: Workload, api: Api) -> float:
    """a' = a m (1-h), the API's price of a task without fixed costs."""
    return usd_per_attempt(work.classes, api) * api_calls_per_task(work, api) * (1 - work.response_cache_hit_rate)


def unit_tasks(work: Workload, api: Api) -> float:
    """K_a, tasks a month that one unit of bought capacity serves; inf where one serves all."""
    if api.unit_tokens_per_s is None:
        return math.inf if api.unit_tasks_per_month is None else api.unit_tasks_per_month
    given, _, output = api_tokens(work, api)
    tokens_at_peak = work.peak() * (given + output) * api_calls(work, api)
    return api.unit_tokens_per_s * SECONDS_PER_MONTH / tokens_at_peak if tokens_at_peak else math.inf


def box_calls(work: Workload) -> float:
    """m (1-h): calls of the box for each task of the month."""
    return attempts_per_task(work) * (1 - work.response_cache_hit_rate)


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
    reaching = 1 - work.response_cache_hit_rate
    stairs = Staircase(
        usd_per_task=usd_per_task(work, api) + api.usd_per_task * reaching,
        usd_per_instance_month=box.usd_per_hour * HOURS_PER_MONTH,
        capacity=capacity(work, box.max_load, goodput),
        self_fixed_usd=box.fixed_usd_per_month,
        api_fixed_usd=api.fixed_usd_per_month,
        min_instances=box.min_instances,
        unit_usd=api.units_usd_per_month,
        unit_tasks=unit_tasks(work, api),
        hours=_hours(work, box, goodput),
        metered_usd_per_task=_metered_usd_per_task(work, box, goodput),
        own_usd_per_task=box.usd_per_task * reaching,
    )
    if stairs.has_units and stairs.net().usd_per_task < 0:
        raise UsageError(
            "each task takes more on the box's side (`self_host.usd_per_task`) than at the API, which sells capacity"
            " in units: such a comparison is not decided",
            hint="leave out `units_usd_per_month`, or what a person costs",
        )
    return stairs


def is_metered(box: SelfHost) -> bool:
    """Whether the box is paid by the second of each call."""
    return box.billing == "per_second"


def comes_and_goes(box: SelfHost) -> bool:
    """Whether no instance runs in an hour without arrivals."""
    return box.min_instances == 0 and not is_metered(box)


def _hours(work: Workload, box: SelfHost, goodput: float | None) -> Hours | None:
    """The hours of instances that come and go; None where some run all the time, or nothing was served."""
    if not comes_and_goes(box) or work.hourly_profile is None or not goodput:
        return None
    full_hour = box.max_load * goodput * SECONDS_PER_HOUR / box_calls(work)
    unserved_s = box.cold_start_s + box.idle_s
    return Hours.of(work.hourly_profile, full_hour, usd_per_hour=box.usd_per_hour, unserved_s=unserved_s)


def usd_per_second(box: SelfHost) -> float:
    """Price of a second of a call."""
    return box.usd_per_hour / SECONDS_PER_HOUR if box.usd_per_second is None else box.usd_per_second


def _metered_usd_per_task(work: Workload, box: SelfHost, goodput: float | None) -> float | None:
    """What the box takes for a task, each call in whole seconds; None where it is paid by the hour."""
    if not is_metered(box) or not goodput:
        return None
    seconds = ceil(1 / goodput if box.service_s is None else box.service_s)
    return seconds * usd_per_second(box) * box_calls(work)


def min_goodput(inputs: DecideInput) -> float | None:
    """G_min = cH phi m(1-h) / ((a' + f/K_a) rho S), requests/s; None: no goodput is enough, as where the API is free.

    Scale to zero has no phi: each hour has instances of its own. Serverless: what a whole number of seconds allows.
    """
    work, box, api = inputs.workload, inputs.self_host, inputs.api
    per_task = usd_per_task(work, api) + api.units_usd_per_month / unit_tasks(work, api)
    per_task += (api.usd_per_task - box.usd_per_task) * (1 - work.response_cache_hit_rate)
    if is_metered(box):
        a_second = usd_per_second(box) * box_calls(work)
        affordable = floor(per_task / a_second) if a_second > 0 else math.inf
        if box.service_s is not None:
            return 0.0 if ceil(box.service_s) <= affordable else None
        return 1 / affordable if affordable > 0 else None
    if per_task <= 0:
        return None
    month = box.usd_per_hour * HOURS_PER_MONTH
    calls = box_calls(work) if comes_and_goes(box) else calls_at_peak(work)
    return month * calls / (per_task * box.max_load * SECONDS_PER_MONTH)


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
    self_usd = stairs.self_usd_at(tasks)
    return AtVolume(
        tasks_per_month=tasks,
        instances=stairs.instances(tasks),
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
