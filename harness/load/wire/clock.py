"""Two clocks of one machine: the kernel stamps arrivals in CLOCK_REALTIME, everything else is monotonic."""

import time

from harness.base.units import NS_PER_S

STEP_NS = 1_000_000  # a change of the offset above 1 ms between two samples is a stepped clock, not drift


def realtime_offset_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC in ns; the tightest of five tries, good to about 0.1 us."""
    tries: list[tuple[int, int]] = []
    for _ in range(5):
        before = time.monotonic_ns()
        real = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.monotonic_ns()
        tries.append((after - before, real - (before + after) // 2))
    return min(tries)[1]


class RunClock:
    """Seconds since the run began, from both clocks. `resample` follows drift and notices steps."""

    __slots__ = ("_offset_ns", "_zero_ns", "steps")

    def __init__(self, started_monotonic_ns: int) -> None:
        self._zero_ns = started_monotonic_ns
        self._offset_ns = realtime_offset_ns()
        self.steps = 0  # how often CLOCK_REALTIME jumped

    def now_s(self) -> float:
        """Now, in seconds since the run began."""
        return (time.monotonic_ns() - self._zero_ns) / NS_PER_S

    def from_monotonic_s(self, stamp_ns: int) -> float:
        """A CLOCK_MONOTONIC stamp in ns as seconds since the run began."""
        return (stamp_ns - self._zero_ns) / NS_PER_S

    def from_realtime_ns(self, stamp_ns: int) -> int:
        """A CLOCK_REALTIME stamp in ns as CLOCK_MONOTONIC ns."""
        return stamp_ns - self._offset_ns

    def resample(self) -> None:
        """Measure the offset again; call it about once a second."""
        offset_ns = realtime_offset_ns()
        if abs(offset_ns - self._offset_ns) > STEP_NS:
            self.steps += 1
        self._offset_ns = offset_ns
