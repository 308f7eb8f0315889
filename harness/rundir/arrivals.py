"""When each event of each request arrived, as three flat arrays: a run may hold tens of millions of stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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

    ids: pa.Array | pa.ChunkedArray
    offsets: Ints
    stamps_us: Ints

    @classmethod
    def of(cls, stamps_us: Mapping[str, Sequence[int]]) -> Arrivals:
        """From lists by request id."""
        lengths = [len(stamps) for stamps in stamps_us.values()]
        flat = [np.asarray(stamps, dtype=np.int64) for stamps in stamps_us.values()]
        return cls(
            ids=pa.array(list(stamps_us), pa.string()),
            offsets=offsets_of(lengths),
            stamps_us=np.concatenate(flat) if flat else np.empty(0, np.int64),
        )

    def by_request(self) -> dict[str, Ints]:
        """The stamps by request id: one array each, so for small runs only."""
        return {request_id: self.of_row(i) for i, request_id in enumerate(self.ids.to_pylist())}

    def rows_of(self, request_ids: pa.Array | pa.ChunkedArray) -> Ints:
        """At which place of `ids` each request is, -1 where it kept no arrivals; of doubles the last."""
        if len(self.ids) == 0:
            return np.full(len(request_ids), -1)
        from_the_end = pc.index_in(request_ids, value_set=self.ids[::-1])
        places: Ints = len(self.ids) - 1 - pc.fill_null(from_the_end, len(self.ids)).to_numpy().astype(np.int64)
        return places

    def of_row(self, row: int) -> Ints:
        """The stamps at one place of `ids`."""
        return self.stamps_us[self.offsets[row] : self.offsets[row + 1]]

    def tokens_between(self, rows: Ints, tokens: Floats, start_s: float, end_s: float) -> Floats:
        """Each request's own token count times the share of its events that arrived in [start, end).

        `rows` and `tokens` are of the same requests; NaN where the count or every arrival is unknown.
        """
        out = np.full(len(rows), np.nan)
        known = rows >= 0
        if not known.any():
            return out
        part = self._around(rows)
        rows = np.where(known, rows - part.first, 0)
        inside = (part.stamps_us >= start_s * US_PER_S) & (part.stamps_us < end_s * US_PER_S)
        events, lengths = np.diff(offsets_of(inside)[part.offsets]), np.diff(part.offsets)
        np.divide(tokens * events[rows], lengths[rows], out=out, where=known & (lengths[rows] > 0))
        return out

    def gaps_s(self, rows: Ints) -> Floats:
        """Gaps between one arrival and the next of the requests at these places, in seconds.

        Events read at once share a stamp and count as one arrival.
        """
        rows = rows[rows >= 0]
        if len(rows) == 0:
            return np.empty(0)
        part = self._around(rows)
        if len(part.stamps_us) == 0:
            return np.empty(0)
        wanted = np.zeros(len(part.offsets) - 1, dtype=bool)
        wanted[rows - part.first] = True
        within = np.repeat(wanted, np.diff(part.offsets))[1:]  # gap i leads to stamp i + 1
        first = part.offsets[:-1]
        within[first[(first > 0) & (first < len(part.stamps_us))] - 1] = False  # from one request to another
        gaps_us = np.diff(part.stamps_us)[within]
        seconds: Floats = gaps_us[gaps_us > 0] / US_PER_S
        return seconds

    def _around(self, rows: Ints) -> _Part:
        """From the first to the last of these places (-1 left out): a step's requests lie together."""
        first, last = int(rows[rows >= 0].min()), int(rows.max())
        offsets = self.offsets[first : last + 2]
        return _Part(first, offsets - offsets[0], self.stamps_us[offsets[0] : offsets[-1]])


@dataclass(frozen=True, slots=True)
class _Part:
    """Some neighbouring requests' stamps, places and offsets counted from the first of them."""

    first: int
    offsets: Ints
    stamps_us: Ints


def offsets_of(lengths: Sequence[int] | Ints | Bools) -> Ints:
    """0 and the running sums: where each of several lists of these lengths begins, and where the last one ends."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out
