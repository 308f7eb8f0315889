"""How the monotonic clock of another machine stands to ours, from messages there and back. No I/O."""

from collections import deque
from dataclasses import dataclass, field

from harness.base.units import NS_PER_S
from harness.load.protocol import ClockFacts

LATEST = 10  # echoes that tell how the clocks stand now


@dataclass(frozen=True, slots=True)
class Echo:
    """One message there and back; `sent_ns` and `back_ns` on our clock, `seen_ns` on the other one."""

    sent_ns: int
    seen_ns: int
    back_ns: int

    @property
    def offset_ns(self) -> int:
        """Our clock minus the other, taking the way back to be as long as the way there."""
        return (self.sent_ns + self.back_ns) // 2 - self.seen_ns

    @property
    def error_ns(self) -> int:
        """The offset is wrong by this at most, however unequal the two ways are; rounded up."""
        return (self.back_ns - self.sent_ns + 1) // 2


@dataclass(slots=True)
class Relation:
    """Two clocks: how they stood when the run began, and how far they have moved apart since.

    The echo with the shortest way is the best one. Clocks that move apart are not corrected on the way (a step in
    a worker's clock would spoil its latencies); the movement is stated instead.
    """

    best: Echo | None = None
    echoes: int = 0
    _latest: deque[Echo] = field(default_factory=lambda: deque(maxlen=LATEST))
    _is_fixed: bool = False

    def add(self, echo: Echo) -> None:
        """Take one more."""
        self.echoes += 1
        self._latest.append(echo)
        if not self._is_fixed and (self.best is None or echo.error_ns < self.best.error_ns):
            self.best = echo

    def fix(self) -> int:
        """The offset in ns that the run goes by from now on; a worker without an echo is none."""
        assert self.best is not None
        if not self._is_fixed:  # a worker may have waited for minutes, and its clock wandered
            self.best, self._is_fixed = min(self._latest, key=lambda echo: echo.error_ns), True
        return self.best.offset_ns

    def facts(self) -> ClockFacts:
        """As it stands now."""
        if self.best is None:
            return ClockFacts(None, None, None, 0)
        now = min(self._latest, key=lambda echo: echo.error_ns)
        return ClockFacts(
            error_s=self.best.error_ns / NS_PER_S,
            moved_s=(now.offset_ns - self.best.offset_ns) / NS_PER_S,
            moved_error_s=(now.error_ns + self.best.error_ns) / NS_PER_S,
            echoes=self.echoes,
        )
