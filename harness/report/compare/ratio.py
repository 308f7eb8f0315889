"""How many times what one run serves another does, with the interval of that, not of the two alone."""

import math
from dataclasses import dataclass

from harness.base.rounding import significant
from harness.base.stats import t_interval
from harness.report.compare.standing import Standing


@dataclass(frozen=True, slots=True)
class Ratio:
    """A quotient of two goodputs with its 95 % interval; an end that is not known is None."""

    value: float
    low: float | None
    high: float | None
    pairs: int = 0  # of repeated runs with the same plan, which it was taken from; 0: from the two intervals

    @property
    def words(self) -> str:
        """`2.10 (1.90 to 2.30)`, `at least 1.90`, `at most 2.30`."""
        if self.low is not None and self.high is not None:
            return f"{significant(self.value)} ({significant(self.low)} to {significant(self.high)})"
        if self.low is not None:
            return f"at least {significant(self.low)}"
        if self.high is not None:
            return f"at most {significant(self.high)}"
        return f"{significant(self.value)} (no interval)"


def ratio_of(other: Standing, first: Standing) -> Ratio | None:
    """What `other` serves over what `first` does; None where either has no goodput.

    Repeated runs with the same seeds had the same plans: then Student's t over the logarithms of the pairs' quotients,
    so that what a plan does to both is in neither end. Else the two intervals put together on the logarithm (Donner and
    Zou's MOVER): ln r -+ sqrt(d1^2 + d2^2), d the distance of the value from the end that matters. A box that was not
    filled has no upper end.

    Example: 0.54 (0.50 to 0.58) over 0.60 (0.55 to 0.65) is 0.9 (0.805 to 1.01).
    """
    if not first.goodput or not other.goodput:
        return None
    value, seeds = other.goodput / first.goodput, sorted(first.each)
    if len(seeds) > 1 and seeds == sorted(other.each):
        logs = t_interval([math.log(other.each[seed] / first.each[seed]) for seed in seeds])
        low, high = (None if end is None else math.exp(end) for end in (logs.low, logs.high))
        has_upper, has_lower = other.high is not None, first.high is not None
        return Ratio(math.exp(logs.mean), low if has_lower else None, high if has_upper else None, len(seeds))
    return Ratio(value, _end(other.goodput, other.low, first.goodput, first.high, value),
                 _end(other.goodput, other.high, first.goodput, first.low, value))  # fmt: skip


def _end(other: float, others: float | None, first: float, firsts: float | None, value: float) -> float | None:
    """One end of the quotient, by the end of each side that leads there."""
    if not others or not firsts:
        return None
    way = math.hypot(math.log(others / other), math.log(firsts / first))
    return value * math.exp(way if others > other or firsts < first else -way)
