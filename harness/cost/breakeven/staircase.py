"""Where whole instances beat a price per task: the staircase of N(R) instances against the line a'R.

Symbols: a' = `usd_per_task`, what the API takes for a task; cH = `usd_per_instance_month`; K = `capacity`,
tasks a month one instance serves; F = `fixed_usd`, self-hosting's fixed USD a month minus the API's;
g = a'K - cH, what one full instance saves. With N instances self-hosting wins on [lo(N), NK], where
lo(N) = max(0, (N cH + F)/a', (N-1)K if N > N_min); a tie wins. Comparisons allow for the rounding of floats.
"""

import math
from dataclasses import dataclass

from harness.rundir.decide import Verdict, Window

ROUNDING = 1e-12  # inputs like 0.6 or 5.672 leave a few 1e-16 behind; one task in 1e12 is no difference
MAX_WINDOWS = 100
MOST_INSTANCES = 1e9


@dataclass(frozen=True, slots=True)
class Staircase:
    """One comparison, reduced to six numbers. `capacity` None: no load step met the latency limits."""

    usd_per_task: float
    usd_per_instance_month: float
    capacity: float | None
    self_fixed_usd: float
    api_fixed_usd: float
    min_instances: int

    @property
    def fixed_usd(self) -> float:
        """F."""
        return self.self_fixed_usd - self.api_fixed_usd

    def instances(self, tasks: float) -> int:
        """N(R) = max(N_min, ceil(R/K)); a volume that fills them exactly needs no further one."""
        assert self.capacity is not None
        return max(self.min_instances, int(ceil(tasks / self.capacity)))

    @property
    def full(self) -> float | None:
        """Tasks a month that the fewest instances serve."""
        return None if self.capacity is None else self.capacity * self.min_instances

    def utilization(self, tasks: float) -> float:
        """Share of the instances' capacity that a volume takes."""
        assert self.capacity is not None
        return tasks / (self.instances(tasks) * self.capacity)

    def self_usd(self, instances: float) -> float:
        """The month's bill of so many instances."""
        return instances * self.usd_per_instance_month + self.self_fixed_usd

    def api_usd(self, tasks: float) -> float:
        """The API's bill of a month."""
        return self.usd_per_task * tasks + self.api_fixed_usd

    def saving_of_a_full_instance(self) -> float:
        """g = a'K - cH in USD a month, 0 when the two differ by rounding only."""
        worth = self.usd_per_task * (self.capacity or 0)
        return settle(worth - self.usd_per_instance_month, worth)

    def low(self, instances: float) -> float:
        """lo(N): the volume from which N instances cost no more than the API."""
        assert self.capacity is not None
        bill = (instances * self.usd_per_instance_month + self.fixed_usd) / self.usd_per_task
        step = (instances - 1) * self.capacity if instances > self.min_instances else 0.0
        return max(0.0, bill, step)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """At which tasks a month self-hosting wins."""

    verdict: Verdict
    first: float | None
    permanent: float | None
    windows: tuple[Window, ...]
    truncated: bool


NEVER = BreakEven("never", None, None, (), False)


def is_tie(one: float, other: float) -> bool:
    """Whether two bills differ by rounding only."""
    return settle(one - other, max(abs(one), abs(other))) == 0


def settle(difference: float, scale: float) -> float:
    """A difference of two amounts, 0 when it is only their rounding."""
    return 0.0 if abs(difference) <= ROUNDING * abs(scale) else difference


def ceil(value: float) -> float:
    """The next whole number up; a value that is whole up to rounding is that number."""
    nearest = float(round(value))
    return nearest if abs(value - nearest) <= ROUNDING * max(1.0, abs(value)) else float(math.ceil(value))


def floor(value: float) -> float:
    """The next whole number down, with the same allowance."""
    return -ceil(-value)


def break_even(stairs: Staircase) -> BreakEven:
    """All volumes at which self-hosting wins. Formula 10: yes, window or never."""
    if not stairs.capacity or stairs.usd_per_task <= 0:
        return NEVER
    saving = stairs.saving_of_a_full_instance()
    fixed, month, fewest = stairs.fixed_usd, stairs.usd_per_instance_month, stairs.min_instances
    # once this is paid by full instances, one more instance pays for itself from its first task on
    settled = settle(fixed + month, max(abs(fixed), month))
    if saving > 0:
        if not math.isfinite(settled / saving):
            return NEVER
        first = max(float(fewest), ceil(fixed / saving))
        last = max(float(fewest), ceil(settled / saving))
        return _wins_for_good(stairs, first, last)
    if saving == 0 and settled <= 0:
        low = stairs.low(fewest)
        return BreakEven("yes", low, low, ((low, None),), False)
    if fixed <= 0 and settle(fewest * saving - fixed, fixed) >= 0:
        return _wins_in_windows(stairs, saving, settled)
    return NEVER


def _wins_for_good(stairs: Staircase, first: float, last: float) -> BreakEven:
    """g > 0: windows of N = first .. last-1 apart from each other, and for good from lo(last)."""
    assert stairs.capacity is not None
    apart = int(min(last - first, MAX_WINDOWS))
    windows: list[Window] = [(stairs.low(first + i), (first + i) * stairs.capacity) for i in range(apart)]
    permanent = stairs.low(last)
    return BreakEven(
        verdict="yes",
        first=stairs.low(first),
        permanent=permanent,
        windows=(*windows, (permanent, None)),
        truncated=last - first > MAX_WINDOWS,
    )


def _wins_in_windows(stairs: Staircase, saving: float, settled: float) -> BreakEven:
    """g <= 0: a full instance loses, but the API's fixed costs carry the first few.

    N instances win while N g >= F; N+1 continue N's window while N g >= F + cH.
    """
    assert stairs.capacity is not None
    fewest = float(stairs.min_instances)
    most = math.inf if saving == 0 else max(fewest, floor(stairs.fixed_usd / saving))
    joined = fewest - 1  # the last N whose window the next one continues
    if settled <= 0:
        joined = max(joined, floor(settled / saving))
    start = min(joined + 1, most)  # the first window reaches up to start * K
    windows: list[Window] = [(stairs.low(fewest), start * stairs.capacity)]
    while len(windows) < MAX_WINDOWS and start + len(windows) <= most:
        n = start + len(windows)
        windows.append((stairs.low(n), n * stairs.capacity))
    truncated = start + MAX_WINDOWS <= most
    return BreakEven("window", stairs.low(fewest), None, tuple(windows), truncated)
