"""Both bills of a month against the volume: whole instances, or what else is rented, beside an API's price.

Symbols: R tasks a month; a' = `usd_per_task`, what the API takes for a task; cH = `usd_per_instance_month`;
K = `capacity`, tasks a month that one instance serves; F = `fixed_usd`, self-hosting's fixed USD a month minus the
API's. The API's bill never falls with the volume and the box's is level between its steps, so on each level
self-hosting wins from `api_reaches(that bill)` to its end. A tie wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from harness.cost.breakeven.exact import ceil, floor, settle
from harness.cost.breakeven.hours import Hours

MOST_INSTANCES = 1e9


@dataclass(frozen=True, slots=True)
class Staircase:
    """One comparison, reduced to the numbers that decide it. `capacity` None: no load step met the latency limits."""

    usd_per_task: float
    usd_per_instance_month: float
    capacity: float | None
    self_fixed_usd: float
    api_fixed_usd: float
    min_instances: int
    unit_usd: float = 0.0  # a month of one unit of the API's bought capacity
    unit_tasks: float = math.inf  # tasks a month that one unit serves; inf: one serves all
    hours: Hours | None = None  # scale to zero: the hours with arrivals
    metered_usd_per_task: float | None = None  # serverless: the box is paid by the request
    own_usd_per_task: float = 0.0  # of each task on the box's side beside the instances: a person who takes over

    def net(self) -> Staircase:
        """The same comparison with what a task takes on the box's side taken off its price at the API."""
        if not self.own_usd_per_task:
            return self
        left = settle(self.usd_per_task - self.own_usd_per_task, self.own_usd_per_task)
        return replace(self, usd_per_task=left, own_usd_per_task=0.0)

    @property
    def has_units(self) -> bool:
        """Whether the API's bill is a staircase too."""
        return self.unit_usd > 0 and self.unit_tasks < math.inf

    @property
    def api_base_usd(self) -> float:
        """What the API takes whatever the volume, units that can be used up left out."""
        return self.api_fixed_usd + (0.0 if self.has_units else self.unit_usd)

    @property
    def fixed_usd(self) -> float:
        """F."""
        return self.self_fixed_usd - self.api_base_usd

    @property
    def api_usd_per_task_used_up(self) -> float:
        """f/K_a + a': what the API takes for a task when its units are full."""
        return self.usd_per_task + (self.unit_usd / self.unit_tasks if self.has_units else 0.0)

    def api_usd(self, tasks: float) -> float:
        """The API's bill of a month."""
        units = max(1.0, ceil(tasks / self.unit_tasks)) * self.unit_usd if self.has_units else 0.0
        return self.usd_per_task * tasks + self.api_base_usd + units

    def api_usd_after(self, tasks: float) -> float:
        """Its bill just above a volume."""
        units = (floor(tasks / self.unit_tasks) + 1) * self.unit_usd if self.has_units else 0.0
        return self.usd_per_task * tasks + self.api_base_usd + units

    def api_reaches(self, usd: float, base_usd: float) -> float:
        """The volume from which its bill above a base reaches `usd` above that base; inf: it never does."""
        left, start = settle(usd - base_usd, usd), 0.0
        if self.has_units:
            units = max(1.0, ceil(left / (self.usd_per_task * self.unit_tasks + self.unit_usd)))
            left, start = settle(left - units * self.unit_usd, left), (units - 1) * self.unit_tasks
        if left <= 0:
            return start
        return max(start, left / self.usd_per_task) if self.usd_per_task > 0 else math.inf

    def instances(self, tasks: float) -> int:
        """N(R) = max(N_min, ceil(R/K)); a volume that fills them exactly needs no further one."""
        assert self.capacity is not None
        return max(self.min_instances, int(ceil(tasks / self.capacity)))

    @property
    def full(self) -> float | None:
        """Tasks a month that the fewest instances serve; of none that wait for arrivals, what one serves."""
        return None if self.capacity is None else self.capacity * max(1, self.min_instances)

    def utilization(self, tasks: float) -> float:
        """Share of the instances' capacity that a volume takes."""
        assert self.capacity is not None
        if self.hours is not None:
            return self.hours.utilization(tasks)
        running = self.instances(tasks)
        return tasks / (running * self.capacity) if running else 0.0

    def self_usd(self, instances: float) -> float:
        """The month's bill of so many instances that run all the time."""
        return instances * self.usd_per_instance_month + self.self_fixed_usd

    def self_usd_at(self, tasks: float) -> float:
        """The box's bill of a month."""
        beside = self.own_usd_per_task * tasks
        if self.metered_usd_per_task is not None:
            return self.metered_usd_per_task * tasks + self.self_fixed_usd + beside
        if self.hours is not None:
            return self.hours.usd(tasks) + self.self_fixed_usd + beside
        return self.self_usd(self.instances(tasks)) + beside

    def self_usd_after(self, tasks: float) -> float:
        """Its bill just above a volume."""
        beside = self.own_usd_per_task * tasks
        if self.hours is not None:
            return self.hours.usd_after(tasks) + self.self_fixed_usd + beside
        return self.self_usd(self._instances_after(tasks)) + beside

    def next_step(self, tasks: float) -> float:
        """Where the level just above a volume ends."""
        assert self.capacity is not None
        return self.hours.next_step(tasks) if self.hours is not None else self._instances_after(tasks) * self.capacity

    def step_before(self, tasks: float) -> float:
        """Where the level that a volume is on begins."""
        assert self.capacity is not None
        if self.hours is not None:
            return self.hours.step_before(tasks)
        before = ceil(tasks / self.capacity) - 1
        return before * self.capacity if before >= self.min_instances else 0.0

    def _instances_after(self, tasks: float) -> float:
        assert self.capacity is not None
        return max(float(self.min_instances), floor(tasks / self.capacity) + 1)

    def low(self, instances: float) -> float:
        """lo(N): the volume from which N instances cost no more than the API."""
        assert self.capacity is not None
        step = (instances - 1) * self.capacity if instances > self.min_instances else 0.0
        return max(step, self.api_reaches(instances * self.usd_per_instance_month, -self.fixed_usd))
