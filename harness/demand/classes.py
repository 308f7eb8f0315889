"""Classes of a log's requests that cost what the requests cost, whatever tier each of them falls into.

An API with tiers charges a request by its own input length, all or nothing. A class that lies on one side of a tier's
edge costs exactly what its requests do, since all else is proportional to the mean tokens; one that straddles an edge
is wrong by the requests on the other side of its mean. Classes never straddle an edge that is known, and are cut so
that few requests would be on the wrong side of any other: of a price yet to come, or of a known edge in the tokens of
another tokenizer. What is far below the lowest edge is one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats

MOST_CLASSES = 48  # with so many, an edge that no one listed moves less than 1 % of the money
FINE_SHARE = 0.004  # of the log's money may lie on the wrong side of an edge where that takes few classes
FAR_BELOW = 4  # times shorter than the shortest request whose price changes
OUTPUT_PER_INPUT_USD = 5.0  # what an output token usually costs of an input token: weighs requests, prices none
_CLOSE = 1.05  # the share is found to that factor


@dataclass(frozen=True, slots=True)
class Sized:
    """Requests by input length: each length once, with how many there are, and their share of all money."""

    lengths: Floats  # ascending
    requests: Floats
    money: Floats


def sized(input_tokens: Floats, output_tokens: Floats, requests: Floats, money: float) -> Sized:
    """`money`: of the whole log, as `money_of` has it, so that groups of one log are cut by one measure."""
    lengths, index = np.unique(input_tokens, return_inverse=True)
    count: Floats = np.bincount(index, weights=requests).astype(float)
    usd: Floats = np.bincount(index, weights=_money(input_tokens, output_tokens, requests)).astype(float)
    return Sized(lengths, count, usd / money)


def money_of(input_tokens: Floats, output_tokens: Floats, requests: Floats) -> float:
    """What requests cost, in input tokens."""
    return float(_money(input_tokens, output_tokens, requests).sum()) or 1.0


def _money(input_tokens: Floats, output_tokens: Floats, requests: Floats) -> Floats:
    return requests * (input_tokens + OUTPUT_PER_INPUT_USD * output_tokens)


def cuts(groups: Sequence[Sized], tiers: Sequence[int] = ()) -> list[list[float]]:
    """For each group of a log the first lengths of its classes, ascending, at most `MOST_CLASSES` together.

    `tiers`: input lengths above which a known price changes; a class never lies on both sides of one.
    """
    found = [_edges(group, tiers, FINE_SHARE) for group in groups]
    if _number(found) > MOST_CLASSES:
        found = [_edges(group, tiers, 1.0) for group in groups]
        low, high = FINE_SHARE, 1.0
        while high > low * _CLOSE:
            share = (low * high) ** 0.5
            tried = [_edges(group, tiers, share) for group in groups]
            low, high, found = (share, high, found) if _number(tried) > MOST_CLASSES else (low, share, tried)
    return [[float(group.lengths[n]) for n in edges[:-1]] for group, edges in zip(groups, found, strict=True)]


def _number(found: Sequence[list[int]]) -> int:
    return sum(len(edges) - 1 for edges in found)


def _edges(group: Sized, tiers: Sequence[int], share: float) -> list[int]:
    """Indices into the lengths at which classes begin, and the end."""
    walls = np.unique(np.searchsorted(group.lengths, np.asarray(sorted(tiers), dtype=float), side="right"))
    sums, end = _Sums(group), len(group.lengths)
    short = int(np.searchsorted(group.lengths, min(tiers) / FAR_BELOW, side="right")) if tiers else 0
    out = [0, short] if short else [0]
    for until in [*(int(n) for n in walls if short < n < end), end]:
        while out[-1] < until:
            out.append(_furthest(sums, out[-1], until, share))
    return out


class _Sums:
    """Running sums of a group, so that any class of it is judged at once."""

    def __init__(self, group: Sized) -> None:
        self.lengths = group.lengths
        self._requests = _running(group.requests)
        self._tokens = _running(group.requests * group.lengths)
        self._money = _running(group.money)

    def misplaced(self, begin: int, end: int) -> float:
        """Money on the smaller class's wrong side, at the worst edge between its lengths, over what all cost then."""
        if end - begin <= 1:
            return 0.0
        n = self._requests[end] - self._requests[begin]
        mean = (self._tokens[end] - self._tokens[begin]) / n if n > 0 else self.lengths[begin]
        middle = begin + int(np.searchsorted(self.lengths[begin:end], mean, side="left"))
        below, above = self._money[middle] - self._money[begin], self._money[end] - self._money[middle]
        dearer = self._money[-1] - self._money[end]  # beyond the edge too: it makes the error smaller
        return float(max(below, above) / (1 + dearer))


def _running(values: Floats) -> npt.NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values)])


def _furthest(sums: _Sums, begin: int, end: int, share: float) -> int:
    """The last end of a class from `begin` on that keeps what is misplaced within the share."""
    low, high = begin + 1, end
    while low < high:
        middle = (low + high + 1) // 2
        if sums.misplaced(begin, middle) <= share:
            low = middle
        else:
            high = middle - 1
    return low
