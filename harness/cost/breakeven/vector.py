"""The staircase for many cases at once: the same formulas and the same rounding as `decide`, on arrays.

Sensitivity and simulation ask tens of thousands of what-ifs; one at a time each would take 40 microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base.terms import Running
from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH
from harness.cost.breakeven.arrays import NEVER, WINDOW, YES, Array, Bills, HourArrays, ceil, no_more, verdicts
from harness.cost.breakeven.decision import api_tokens, comes_and_goes, unit_tasks, usd_per_attempt
from harness.cost.breakeven.exact import settle
from harness.cost.breakeven.first_win import first_wins as first_wins_of
from harness.rundir.decide import DecideInput, Side, Verdict

__all__ = [
    "NEVER",
    "VERDICTS",
    "WINDOW",
    "YES",
    "Array",
    "Case",
    "Number",
    "Outcome",
    "case_of",
    "evaluate",
    "first_wins",
]

Number = float | Array

VERDICTS: tuple[Verdict, ...] = ("never", "window", "yes")


@dataclass(frozen=True, slots=True)
class Ways:
    """How both sides are paid."""

    max_retries: float  # inf: until success
    api_success_rate: Number | None  # None: that of the workload
    unit_calls_per_s: float | None  # that a unit of the API's capacity serves; None: `unit_tasks` says it
    running: Running
    profile: tuple[float, ...] | None  # of instances that come and go with the hours

    def with_api_success(self, rate: Number) -> Ways:
        """The API's calls succeed in another share."""
        return replace(self, api_success_rate=rate)

    def until_success(self) -> Ways:
        """What fails is asked again for as long as it takes."""
        return replace(self, max_retries=np.inf)


@dataclass(frozen=True, slots=True)
class Case:
    """The numbers a decision hangs on; any of them may be an array, all of the same length."""

    tasks_per_month: Number
    usd_per_attempt: Number  # a, at the mean call
    retry_failure_rate: Number
    response_cache_hit_rate: Number
    peak_to_mean: Number
    usd_per_hour: Number
    goodput_requests_per_s: Number  # 0: infeasible
    max_load: Number
    min_instances: Number
    self_fixed_usd: Number
    api_fixed_usd: Number
    unit_usd: Number
    unit_tasks: Number
    api_task_usd: Number  # of a task beside its calls
    self_task_usd: Number  # likewise, beside the instances
    ways: Ways

    def but(self, **changes: Any) -> Case:
        """The case with some numbers changed."""
        return replace(self, **changes)


NUMBERS = tuple(f.name for f in fields(Case) if f.name != "ways")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes out, element by element. Infeasible: capacity 0, bill of the box and saving NaN."""

    capacity: Array
    instances: Array
    self_usd: Array
    api_usd: Array
    saving_usd: Array  # api - self, a month
    verdict: npt.NDArray[np.int8]
    self_host_wins: npt.NDArray[np.bool_]

    def verdicts(self) -> list[Verdict]:
        """The verdict of each element, in order."""
        return [VERDICTS[code] for code in self.verdict.ravel()]

    def winners(self) -> list[Side]:
        """Who wins each element, in order."""
        return ["self_host" if wins else "api" for wins in self.self_host_wins.ravel()]

    def savings(self) -> list[float | None]:
        """The saving of each element, in order; None where there is none."""
        return [float(saving) if np.isfinite(saving) else None for saving in self.saving_usd.ravel()]


def case_of(inputs: DecideInput, tasks_per_month: float) -> Case:
    """The case of a checked decide input at a volume."""
    work, box, api = inputs.workload, inputs.self_host, inputs.api
    given, _, output = api_tokens(work, api)
    by_tokens = api.unit_tokens_per_s is not None and given + output > 0
    return Case(
        tasks_per_month=tasks_per_month,
        usd_per_attempt=usd_per_attempt(work.classes, api),
        retry_failure_rate=work.retry_failure_rate,
        response_cache_hit_rate=work.response_cache_hit_rate,
        peak_to_mean=work.peak(),
        usd_per_hour=box.usd_per_hour,
        goodput_requests_per_s=box.goodput_requests_per_s or 0.0,
        max_load=box.max_load,
        min_instances=box.min_instances,
        self_fixed_usd=box.fixed_usd_per_month,
        api_fixed_usd=api.fixed_usd_per_month,
        unit_usd=api.units_usd_per_month,
        unit_tasks=unit_tasks(work, api),
        api_task_usd=api.usd_per_task,
        self_task_usd=box.usd_per_task,
        ways=Ways(
            max_retries=np.inf if work.max_retries is None else work.max_retries,
            api_success_rate=api.success_rate,
            unit_calls_per_s=(api.unit_tokens_per_s or 0.0) / (given + output) if by_tokens else None,
            running=box,
            profile=None if work.hourly_profile is None or not comes_and_goes(box) else tuple(work.hourly_profile),
        ),
    )


def evaluate(case: Case) -> Outcome:
    """Formulas 5 to 10 and 17 to 18 for every element."""
    bills = _bills(case)
    tasks, feasible = bills.tasks, bills.capacity > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        instances = np.where(feasible, np.maximum(bills.fewest, ceil(tasks / bills.capacity)), np.nan)
        beside = bills.own_per_task * tasks
        self_usd = np.where(feasible, bills.self_usd(tasks) + beside, np.nan)
        api_usd = bills.api_usd(tasks) + beside
        wins = feasible & no_more(self_usd, api_usd)
        verdict = verdicts(bills)
    shape = np.broadcast_shapes(*(np.shape(getattr(case, name)) for name in NUMBERS))
    return Outcome(
        capacity=bills.capacity.reshape(shape),
        instances=instances.reshape(shape),
        self_usd=self_usd.reshape(shape),
        api_usd=api_usd.reshape(shape),
        saving_usd=(api_usd - self_usd).reshape(shape),
        verdict=verdict.reshape(shape),
        self_host_wins=wins.reshape(shape),
    )


def first_wins(case: Case) -> Array:
    """The lowest winning volume of every element; inf: it never wins."""
    bills = _bills(case)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return first_wins_of(bills, verdicts(bills))


def _bills(case: Case) -> Bills:
    """Both sides' bills as functions of the volume, every number an array of one length."""
    c, ways = _broadcast(case), case.ways
    success = 1 - c["retry_failure_rate"] ** (ways.max_retries + 1)
    attempts = success / (1 - c["retry_failure_rate"])
    asked = attempts if ways.api_success_rate is None else success / ways.api_success_rate
    reaching = 1 - c["response_cache_hit_rate"]
    unit_size = c["unit_tasks"]
    with np.errstate(divide="ignore", invalid="ignore"):
        capacity = c["max_load"] * c["goodput_requests_per_s"] * SECONDS_PER_MONTH
        capacity = capacity / (c["peak_to_mean"] * attempts * reaching)
        if ways.unit_calls_per_s is not None:
            unit_size = ways.unit_calls_per_s * SECONDS_PER_MONTH / (c["peak_to_mean"] * asked * reaching)
        hours = None if ways.profile is None else _hours(c, attempts * reaching, ways)
        metered = None if ways.running.billing == "per_hour" else _metered(c, attempts * reaching, ways)
    has_units = (c["unit_usd"] > 0) & np.isfinite(unit_size)
    return Bills(
        tasks=c["tasks_per_month"],
        capacity=capacity,
        fewest=c["min_instances"],
        month=c["usd_per_hour"] * HOURS_PER_MONTH,
        self_fixed=c["self_fixed_usd"],
        per_task=_net(c["usd_per_attempt"] * asked + c["api_task_usd"], c["self_task_usd"]) * reaching,
        own_per_task=c["self_task_usd"] * reaching,
        api_base=c["api_fixed_usd"] + np.where(has_units, 0.0, c["unit_usd"]),
        unit_usd=np.where(has_units, c["unit_usd"], 0.0),
        unit_tasks=np.where(has_units, unit_size, np.inf),
        hours=hours,
        metered=metered,
    )


def _net(api: Array, own: Array) -> Array:
    """What a task takes at the API above what it takes on the box's side."""
    return settle(api - own, own)


def _hours(c: dict[str, Array], calls: Array, ways: Ways) -> HourArrays:
    profile = np.asarray(ways.profile)
    busy = profile[profile > 0]
    cycles = HOURS_PER_MONTH / profile.size
    full_hour = c["max_load"] * c["goodput_requests_per_s"] * SECONDS_PER_HOUR / calls
    before = np.roll(profile, 1)
    unserved = ways.running.cold_start_s + ways.running.idle_s
    return HourArrays(
        fills=full_hour[:, None] * cycles * profile.sum() / busy,
        before=full_hour[:, None] * cycles * profile.sum() / before[profile > 0],
        hour_usd=cycles * c["usd_per_hour"],
        start_usd=cycles * c["usd_per_hour"] * unserved / SECONDS_PER_HOUR,
    )


def _metered(c: dict[str, Array], calls: Array, ways: Ways) -> Array:
    box = ways.running
    seconds = 1 / c["goodput_requests_per_s"] if box.service_s is None else np.full(calls.shape, box.service_s)
    a_second = c["usd_per_hour"] / SECONDS_PER_HOUR if box.usd_per_second is None else box.usd_per_second
    return ceil(seconds) * a_second * calls


def _broadcast(case: Case) -> dict[str, Array]:
    values: list[Any] = [np.atleast_1d(np.asarray(getattr(case, name), dtype=np.float64)) for name in NUMBERS]
    return dict(zip(NUMBERS, np.broadcast_arrays(*values), strict=True))
