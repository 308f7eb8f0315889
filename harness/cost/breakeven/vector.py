"""The staircase for many cases at once: the same formulas and the same rounding as `decide`, on arrays.

Sensitivity and simulation ask tens of thousands of what-ifs; one at a time each would take 40 microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_MONTH
from harness.cost.breakeven.decision import usd_per_attempt
from harness.cost.breakeven.staircase import ROUNDING
from harness.rundir.decide import DecideInput, Side, Verdict

Array = npt.NDArray[np.float64]
Number = float | Array

NEVER, WINDOW, YES = 0, 1, 2
VERDICTS: tuple[Verdict, ...] = ("never", "window", "yes")


@dataclass(frozen=True, slots=True)
class Case:
    """The numbers a decision hangs on; any of them may be an array, all of the same length."""

    tasks_per_month: Number
    usd_per_attempt: Number  # a, at the mean call
    retry_failure_rate: Number
    max_retries: float  # inf: until success
    response_cache_hit_rate: Number
    peak_to_mean: Number
    usd_per_hour: Number
    goodput_requests_per_s: Number  # 0: infeasible
    max_load: Number
    min_instances: Number
    self_fixed_usd: Number
    api_fixed_usd: Number

    def but(self, **changes: Any) -> Case:
        """The case with some numbers changed."""
        return replace(self, **changes)


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
    return Case(
        tasks_per_month=tasks_per_month,
        usd_per_attempt=usd_per_attempt(work.classes, api),
        retry_failure_rate=work.retry_failure_rate,
        max_retries=np.inf if work.max_retries is None else work.max_retries,
        response_cache_hit_rate=work.response_cache_hit_rate,
        peak_to_mean=work.peak(),
        usd_per_hour=box.usd_per_hour,
        goodput_requests_per_s=box.goodput_requests_per_s or 0.0,
        max_load=box.max_load,
        min_instances=box.min_instances,
        self_fixed_usd=box.fixed_usd_per_month,
        api_fixed_usd=api.fixed_usd_per_month,
    )


def evaluate(case: Case) -> Outcome:
    """Formulas 5 to 10 for every element."""
    c = _broadcast(case)
    attempts = (1 - c["retry_failure_rate"] ** (case.max_retries + 1)) / (1 - c["retry_failure_rate"])
    per_task = c["usd_per_attempt"] * attempts * (1 - c["response_cache_hit_rate"])
    calls = c["peak_to_mean"] * attempts * (1 - c["response_cache_hit_rate"])
    capacity = c["max_load"] * c["goodput_requests_per_s"] * SECONDS_PER_MONTH / calls
    feasible = capacity > 0
    month = c["usd_per_hour"] * HOURS_PER_MONTH
    with np.errstate(divide="ignore", invalid="ignore"):
        needed = _ceil(c["tasks_per_month"] / capacity)
        instances = np.where(feasible, np.maximum(c["min_instances"], needed), np.nan)
    self_usd = instances * month + c["self_fixed_usd"]
    api_usd = per_task * c["tasks_per_month"] + c["api_fixed_usd"]
    fixed = c["self_fixed_usd"] - c["api_fixed_usd"]
    with np.errstate(invalid="ignore"):
        wins = feasible & (self_usd <= api_usd + ROUNDING * np.maximum(self_usd, api_usd))
    return Outcome(
        capacity=capacity,
        instances=instances,
        self_usd=self_usd,
        api_usd=api_usd,
        saving_usd=api_usd - self_usd,
        verdict=_verdict(per_task, capacity, month, fixed, c["min_instances"]),
        self_host_wins=wins,
    )


def _verdict(per_task: Array, capacity: Array, month: Array, fixed: Array, fewest: Array) -> npt.NDArray[np.int8]:
    """Formula 10, never as 0, window as 1, yes as 2."""
    worth = per_task * capacity
    saving = _settle(worth - month, worth)
    settled = _settle(fixed + month, np.maximum(np.abs(fixed), month))
    yes = (saving > 0) | ((saving == 0) & (settled <= 0))
    window = ~yes & (fixed <= 0) & (_settle(fewest * saving - fixed, fixed) >= 0)
    possible = (capacity > 0) & (per_task > 0)
    return np.where(possible & yes, YES, np.where(possible & window, WINDOW, NEVER)).astype(np.int8)


def _broadcast(case: Case) -> dict[str, Array]:
    names = [f.name for f in fields(case) if f.name != "max_retries"]
    values: list[Any] = [np.asarray(getattr(case, name), dtype=np.float64) for name in names]
    return dict(zip(names, np.broadcast_arrays(*values), strict=True))


def _settle(difference: Array, scale: Array) -> Array:
    return np.where(np.abs(difference) <= ROUNDING * np.abs(scale), 0.0, difference)


def _ceil(value: Array) -> Array:
    nearest = np.round(value)
    whole = np.abs(value - nearest) <= ROUNDING * np.maximum(1.0, np.abs(value))
    return np.where(whole, nearest, np.ceil(value))
