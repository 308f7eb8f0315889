"""Shares of counts: their interval, and whether two of them differ by more than chance. Pure functions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.base.stats import Z_975

CHANCE = 0.05  # two-sided: a difference that chance alone makes as often is none


class Span(NamedTuple):
    """A value with its two-sided 95 % interval."""

    value: float
    low: float
    high: float


def wilson(good: int, n: int) -> Span | None:
    """The share `good` of `n` with Wilson's score interval; None of nothing.

    Unlike p ± z·√(p(1-p)/n) it stays within 0 to 1 and has a width where none or all are good.
    Example: 8 of 10 -> 0.8, 0.4902 .. 0.9433; 0 of 10 -> 0, 0 .. 0.2775.
    """
    if n <= 0:
        return None
    z2 = Z_975**2
    share, spread = good / n, 1 + z2 / n
    middle = (share + z2 / (2 * n)) / spread
    half = Z_975 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / spread
    low = 0.0 if good == 0 else middle - half
    return Span(share, low, 1.0 if good == n else middle + half)


@dataclass(frozen=True, slots=True)
class Paired:
    """How two did on the very same tasks."""

    both: int
    only_one: int
    only_other: int
    neither: int

    @property
    def n(self) -> int:
        """Tasks of the pairs."""
        return self.both + self.only_one + self.only_other + self.neither

    @property
    def turned(self) -> Paired:
        """The same, the other one first."""
        return Paired(self.both, self.only_other, self.only_one, self.neither)

    @property
    def chance(self) -> float:
        """How often chance alone makes a difference at least as large: McNemar's exact test, two-sided.

        Tasks that both solve, or neither, say nothing of which is better; each of the others would be a fair coin.
        Example: 9 that only one solves and 1 that only the other does -> 22/1024 = 0.0215; none at all -> 1.
        """
        n, fewer = self.only_one + self.only_other, min(self.only_one, self.only_other)
        tail = sum(math.comb(n, k) for k in range(fewer + 1)) if n <= _EXACT else None
        return min(1.0, 2 * tail / 2**n) if tail is not None else _normal_tail(n, fewer)

    @property
    def differ(self) -> bool:
        """Whether that is more than chance."""
        return self.chance < CHANCE

    @property
    def difference(self) -> Span | None:
        """Share that one solves minus the other's, with Newcombe's interval for pairs; None without any.

        Out of the two Wilson intervals, narrower the more the same tasks are solved by both (his method 10).
        """
        one, other = wilson(self.both + self.only_one, self.n), wilson(self.both + self.only_other, self.n)
        if one is None or other is None:
            return None
        value, alike = one.value - other.value, self._correlation()
        below, above = (one.value - one.low, other.high - other.value), (one.high - one.value, other.value - other.low)
        return Span(value, value - _joined(*below, alike), value + _joined(*above, alike))

    def _correlation(self) -> float:
        one, other = self.both + self.only_one, self.both + self.only_other
        product = one * (self.n - one) * other * (self.n - other)
        if product == 0:
            return 0.0
        found = self.both * self.neither - self.only_one * self.only_other
        corrected = max(found - self.n / 2, 0.0) if found > 0 else float(found)
        return corrected / math.sqrt(product)


def paired(one: Mapping[str, bool | None], other: Mapping[str, bool | None]) -> Paired:
    """Two on the tasks that were judged of both, by the tasks' names."""
    judged = Counter((good, other[task]) for task, good in one.items() if None not in (good, other.get(task)))
    return Paired(judged[True, True], judged[True, False], judged[False, True], judged[False, False])


_EXACT = 1000  # coins that are counted out one by one


def _normal_tail(n: int, fewer: int) -> float:
    """The binomial's two tails by the normal distribution, with half a coin of continuity."""
    return min(1.0, math.erfc((n / 2 - fewer - 0.5) / math.sqrt(n / 4) / math.sqrt(2)))


def _joined(one: float, other: float, alike: float) -> float:
    return math.sqrt(max(one * one - 2 * alike * one * other + other * other, 0.0))
