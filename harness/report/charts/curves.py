"""The two curves of the break-even chart, from the numbers `decide` was given and gave.

self-host  S(R) = N(R) * usd_per_hour * 730 + fixed      N(R) = max(min_instances, ceil(R / capacity))
API        A(R) = api_usd_per_task * R + fixed           R in tasks a month
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.base.units import HOURS_PER_MONTH
from harness.report.text import number

MOST_STEPS = 300  # beyond so many instances a step is finer than the line that draws it


@dataclass(frozen=True, slots=True)
class SelfHost:
    """What the boxes cost a month: whole instances and the fixed cost of people and the rest."""

    usd_per_instance_month: float
    capacity_tasks_per_month: float
    min_instances: int
    fixed_usd_per_month: float

    def instances(self, tasks_per_month: float) -> int:
        """Whole instances for a volume; a volume that fills them exactly needs no further one."""
        return max(self.min_instances, math.ceil(tasks_per_month / self.capacity_tasks_per_month))

    def usd(self, tasks_per_month: float) -> float:
        """Cost of a month at a volume."""
        return self._usd_of(self.instances(tasks_per_month))

    def _usd_of(self, instances: int) -> float:
        return instances * self.usd_per_instance_month + self.fixed_usd_per_month

    def corners(self, low: float, high: float) -> list[tuple[float, float]]:
        """The staircase between two volumes as (tasks, USD) corners, level then upright; tasks rise."""
        points = [(low, self.usd(low))]
        n = self.instances(low)
        while n * self.capacity_tasks_per_month < high:
            if n - self.min_instances >= MOST_STEPS:
                break
            edge = n * self.capacity_tasks_per_month
            points += [(edge, self._usd_of(n)), (edge, self._usd_of(n + 1))]
            n += 1
        else:
            return [*points, (high, self._usd_of(n))]
        return [*points, (high, self.usd(high))]


@dataclass(frozen=True, slots=True)
class Api:
    """What an API costs a month: a price per task and a fixed part."""

    usd_per_task: float
    fixed_usd_per_month: float

    def usd(self, tasks_per_month: float) -> float:
        """Cost of a month at a volume."""
        return self.usd_per_task * tasks_per_month + self.fixed_usd_per_month


def self_host_of(arm: Mapping[str, Any]) -> SelfHost | None:
    """The self-host curve of an arm of decision.json; None when no load step met the SLO."""
    given = (arm.get("input") or {}).get("self_host") or {}
    capacity = number((arm.get("decision") or {}).get("capacity_tasks_per_month"))
    usd_per_hour = number(given.get("usd_per_hour"))
    if capacity is None or capacity <= 0 or usd_per_hour is None:
        return None
    return SelfHost(
        usd_per_instance_month=usd_per_hour * HOURS_PER_MONTH,
        capacity_tasks_per_month=capacity,
        min_instances=int(number(given.get("min_instances")) or 1),
        fixed_usd_per_month=number(given.get("fixed_usd_per_month")) or 0.0,
    )


def api_of(arm: Mapping[str, Any]) -> Api | None:
    """The API curve of an arm of decision.json; None when it has no price."""
    given = (arm.get("input") or {}).get("api") or {}
    usd_per_task = number((arm.get("decision") or {}).get("api_usd_per_task"))
    if usd_per_task is None:
        return None
    return Api(usd_per_task, number(given.get("fixed_usd_per_month")) or 0.0)


def windows_of(arm: Mapping[str, Any]) -> list[tuple[float, float | None]]:
    """Volumes at which self-hosting wins, as (low, high); high None is without end."""
    windows = (arm.get("decision") or {}).get("winning_windows") or []
    return [(float(low), None if high is None else float(high)) for low, high in windows]


def tasks_of(decision: Mapping[str, Any] | None) -> float | None:
    """The reader's tasks a month, from the demand or from the first arm that was given them."""
    if not decision:
        return None
    demand = decision.get("demand") or {}
    given = number(demand.get("tasks_per_month"))
    if given is not None:
        return given
    inputs = [(arm.get("input") or {}).get("workload") or {} for arm in decision.get("arms") or []]
    return next((t for t in (number(w.get("tasks_per_month")) for w in inputs) if t is not None), None)
