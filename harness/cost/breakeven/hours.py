"""Scale to zero: each hour of the profile bills the instances that its arrivals need, an hour without any none.

S(R) = n (c sum N_h + c (cold start + idle)/3600 x starts), N_h = ceil(R / fill_h), where `fill_h` are the tasks a month
at which one instance is full in hour h, n how often the profile's cycle repeats in a month; an instance that starts
bills its cold start and, when it is needed no longer, its idle wait.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_HOUR
from harness.cost.breakeven.exact import ceil, floor


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a cycle that have arrivals, alike ones together."""

    fills: tuple[tuple[float, int], ...]  # tasks a month that fill an instance in such an hour, hours a cycle
    rises: tuple[tuple[float, float, int], ...]  # fill of an hour and of the one before it, where load rises; how often
    hour_usd: float  # of one hour of each cycle, a month
    start_usd: float  # of one start in each cycle, a month

    @classmethod
    def of(cls, profile: Sequence[float], full_hour: float, *, usd_per_hour: float, unserved_s: float) -> Hours:
        """`full_hour`: tasks that one instance serves in an hour; `unserved_s`: seconds a start bills, serving none."""
        cycles, total = HOURS_PER_MONTH / len(profile), sum(profile)
        fills = [full_hour * cycles * total / weight if weight > 0 else math.inf for weight in profile]
        before = [fills[-1], *fills[:-1]]
        rises = Counter((then, now) for then, now in zip(before, fills, strict=True) if now < then)
        return cls(
            fills=tuple(Counter(fill for fill in fills if fill < math.inf).items()),
            rises=tuple((now, then, often) for (then, now), often in rises.items()),
            hour_usd=cycles * usd_per_hour,
            start_usd=cycles * usd_per_hour * unserved_s / SECONDS_PER_HOUR,
        )

    @property
    def usd_per_task(self) -> float:
        """What a task costs when every instance is full: sum N_h and starts as they grow with the volume."""
        starts = sum(often * (1 / now - 1 / then) for now, then, often in self.rises)
        return self.hour_usd * sum(often / fill for fill, often in self.fills) + self.start_usd * starts

    @property
    def most_usd_above(self) -> float:
        """The most that whole instances cost above that."""
        return (self.hour_usd + self.start_usd) * sum(often for _, often in self.fills)

    @property
    def most_usd_below(self) -> float:
        """The most that they cost below it: rounded up, an hour may need no start, which that hour itself pays for."""
        return max(0.0, self.start_usd - self.hour_usd) * sum(often for _, then, often in self.rises if then < math.inf)

    def usd(self, tasks: float) -> float:
        """The month's bill of the instances."""
        return self._bill(lambda fill: ceil(tasks / fill))

    def usd_after(self, tasks: float) -> float:
        """Their bill just above a volume."""
        return self._bill(lambda fill: floor(tasks / fill) + 1 if fill < math.inf else 0)

    def _bill(self, count: Callable[[float], float]) -> float:
        hours = sum(often * count(fill) for fill, often in self.fills)
        if not self.start_usd:
            return self.hour_usd * hours
        starts = sum(often * max(0, count(now) - count(then)) for now, then, often in self.rises)
        return self.hour_usd * hours + self.start_usd * starts

    def utilization(self, tasks: float) -> float:
        """Share of the hours' instances that a volume takes; 0 without tasks."""
        hours = sum(often * ceil(tasks / fill) for fill, often in self.fills)
        return tasks * sum(often / fill for fill, often in self.fills) / hours if hours else 0.0

    def next_step(self, tasks: float) -> float:
        """The next volume at which some hour's instances are full."""
        return min(fill * (floor(tasks / fill) + 1) for fill, _ in self.fills)

    def step_before(self, tasks: float) -> float:
        """The last such volume below one; 0 below the first."""
        return max(fill * max(0.0, ceil(tasks / fill) - 1) for fill, _ in self.fills)
