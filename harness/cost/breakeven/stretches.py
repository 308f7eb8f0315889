"""The winning windows as far as the goodput is known: what its interval may close or open is one stretch."""

from dataclasses import dataclass

from harness.base.rounding import span, volume, volumes
from harness.rundir.decide import Decided, SelfHost


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tasks a month from, to (None: without end), as printed; `about`: it is known no better than the goodput is."""

    low: str
    high: str | None
    about: bool = False

    @property
    def start(self) -> str:
        """`16.31M`, or `about 16.3M`."""
        return f"about {self.low}" if self.about else self.low

    @property
    def is_point(self) -> bool:
        """Whether all that is known is about where."""
        return self.about and self.low == self.high

    @property
    def words(self) -> str:
        """`from about 16.2M to 16.4M`."""
        return span(self.start, self.start if self.high == self.low else self.high)


def stretches(box: SelfHost, decided: Decided) -> list[Stretch]:
    """The winning windows in words' digits.

    A level of the staircase ends where the instances are full, so the windows' upper ends move with the goodput: two
    windows whose gap a goodput at its upper end would close are one, and a window that one at its lower end would
    close is about one volume.
    """
    goodput, low, high = box.goodput_requests_per_s, box.goodput_low, box.goodput_high
    less, more = (low / goodput, high / goodput) if goodput and low is not None and high is not None else (1.0, 1.0)
    folded: list[tuple[float, float | None, bool]] = []
    for start, end in decided.winning_windows:
        before = folded[-1] if folded else None
        if before is not None and before[1] is not None and more > 1 and before[1] * more >= start:
            folded[-1] = (before[0], end, True)
        else:
            folded.append((start, end, False))
    return _shown([_narrow(*one, less) for one in folded])


def _narrow(start: float, end: float | None, about: bool, less: float) -> tuple[float, float | None, bool]:
    """One volume, of a window that a goodput at its lower end closes."""
    if end is None or end * less >= start:
        return start, end, about
    return (start + end) / 2, (start + end) / 2, True


def _shown(folded: list[tuple[float, float | None, bool]]) -> list[Stretch]:
    edges = [edge for *ends, about in folded if not about for edge in ends if edge is not None]
    exact = iter(volumes(*edges))
    return [
        Stretch(volume(start), volume(end) if end is not None else None, True)
        if about
        else Stretch(next(exact), next(exact) if end is not None else None)
        for start, end, about in folded
    ]
