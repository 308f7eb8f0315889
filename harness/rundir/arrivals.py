"""When each event of each request arrived, as three flat arrays: a run may hold tens of millions of stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.base.stats import Floats
from harness.base.units import US_PER_S

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Stamps in microseconds since the run began; those of `ids[i]` are `stamps_us[offsets[i] : offsets[i + 1]]`.

    `ids`: n request ids; `offsets`: n + 1 ascending counts from 0; `stamps_us`: all stamps, ascending within a
    request.
    """

    ids: npt.NDArray[np.object_]
    offsets: Ints
    stamps_us: Ints

    @classmethod
    def of(cls, stamps_us: Mapping[str, Sequence[int]]) -> Arrivals:
        """From lists by request id."""
        lengths = [len(stamps) for stamps in stamps_us.values()]
        flat = [np.asarray(stamps, dtype=np.int64) for stamps in stamps_us.values()]
        return cls(
            ids=np.array(list(stamps_us), dtype=object),
            offsets=offsets_of(lengths),
            stamps_us=np.concatenate(flat) if flat else np.empty(0, np.int64),
        )

    def by_request(self) -> dict[str, Ints]:
        """The stamps by request id: one array each, so for small runs only."""
        return {
            request_id: self.stamps_us[self.offsets[i] : self.offsets[i + 1]]
            for i, request_id in enumerate(self.ids)
        }

    def rows_of(self, request_ids: npt.NDArray[np.object_]) -> Ints:
        """At which place of `ids` each request is, -1 where it kept no arrivals; of doubles the last."""
        index = pd.Index(self.ids)
        last = np.flatnonzero(~index.duplicated(keep="last"))
        found = index[last].get_indexer(pd.Index(request_ids))
        if len(last) == 0:
            return np.full(len(request_ids), -1)
        return np.where(found >= 0, last[found], -1)

    def tokens_between(self, rows: Ints, tokens: Floats, start_s: float, end_s: float) -> Floats:
        """Each request's own token count times the share of its events that arrived in [start, end).

        `rows` and `tokens` are of the same requests; NaN where the count or every arrival is unknown.
        """
        inside = (self.stamps_us >= start_s * US_PER_S) & (self.stamps_us < end_s * US_PER_S)
        events = np.append(np.diff(offsets_of(inside)[self.offsets]), 0)  # the last one is what row -1 finds
        lengths = np.append(np.diff(self.offsets), 0)
        out = np.full(len(rows), np.nan)
        np.divide(tokens * events[rows], lengths[rows], out=out, where=lengths[rows] > 0)
        return out

    def gaps_s(self, rows: Ints) -> Floats:
        """Gaps between one arrival and the next of the requests at these places, in seconds.

        Events read at once share a stamp and count as one arrival.
        """
        if len(self.stamps_us) == 0:
            return np.empty(0)
        wanted = np.zeros(len(self.ids), dtype=bool)
        wanted[rows[rows >= 0]] = True
        within = np.repeat(wanted, np.diff(self.offsets))[1:]  # gap i leads to stamp i + 1
        first = self.offsets[:-1]
        within[first[(first > 0) & (first < len(self.stamps_us))] - 1] = False  # from one request to another
        gaps_us = np.diff(self.stamps_us)[within]
        seconds: Floats = gaps_us[gaps_us > 0] / US_PER_S
        return seconds


def offsets_of(lengths: Sequence[int] | Ints | Bools) -> Ints:
    """0 and the running sums: where each of several lists of these lengths begins, and where the last one ends."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out
