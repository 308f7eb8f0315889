"""Records as arrays, and the window of a step that figures are counted over. Seconds since the run began."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa

from harness.backends.faults import Refusal, refused_for
from harness.base.stats import Floats
from harness.rundir.arrivals import Arrivals, Bools, Ints
from harness.rundir.records import NOT_FAILURES

Words = np.ndarray[Any, np.dtype[np.object_]]  # text, None where there is none


@dataclass(frozen=True, slots=True)
class Window:
    """The steady part of a step: seconds since the run began, start included, end not."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    def holds(self, times_s: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which of the times lie in it; unknown ones do not."""
        return (times_s >= self.start_s) & (times_s < self.end_s)


@dataclass(frozen=True, slots=True)
class Columns:
    """The records as arrays, NaN where unknown, with what is derived per request."""

    turn: Floats
    entered: np.ndarray[Any, np.dtype[np.bool_]]  # the first of a conversation that was entered at a later turn
    repeat: np.ndarray[Any, np.dtype[np.bool_]]  # a task that only held the load: served, and asked for by nobody
    scheduled_s: Floats
    sent_s: Floats
    first_s: Floats
    finished_s: Floats
    answered_s: Floats  # its end had come; where nobody kept that, its last token
    prompt_tokens: Floats
    cached_tokens: Floats
    output_tokens: Floats
    requested_tokens: Floats
    ok: np.ndarray[Any, np.dtype[np.bool_]]
    failed: np.ndarray[Any, np.dtype[np.bool_]]
    cut: np.ndarray[Any, np.dtype[np.bool_]]
    timed_out: np.ndarray[Any, np.dtype[np.bool_]]
    refused: Mapping[Refusal, Bools]  # of those that failed: by what is no matter of the server
    ended_s: Floats  # finished, or failed at once; NaN for what was cut
    ttft_s: Floats
    e2e_s: Floats
    tpot_s: Floats
    server_queue_s: Floats
    server_prefill_s: Floats
    server_decode_s: Floats
    events: Floats
    max_gap_s: Floats
    error: Words  # its kind, None where it did not fail
    error_detail: Words  # what was said of it, None where nothing was
    request_id: pa.Array | pa.ChunkedArray

    def due_in(self, window: Window) -> Bools:
        """The requests that were scheduled in a window, and are in its figures."""
        return window.holds(self.scheduled_s) & ~self.repeat

    def latency_s(self, name: str) -> Floats:
        """The latency called `ttft`, `tpot` or `e2e`."""
        return {"ttft": self.ttft_s, "tpot": self.tpot_s, "e2e": self.e2e_s}[name]

    def is_unknown(self, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which answers had this latency without anybody knowing it: one of a single token has no TPOT at all."""
        unknown = np.isnan(self.latency_s(name))
        return unknown & ~(self.output_tokens <= 1) if name == "tpot" else unknown


def tpot_s(first_s: Floats, finished_s: Floats, output_tokens: Floats, events: Floats, share: Floats) -> Floats:
    """Time per output token, over the tokens that came after the first arrival; NaN where none did, or nobody knows.

    `share` is `tpot_share` of the records. Rows of an older version have none: there the first event brought one
    token, or as many as the others where there were fewer events than tokens.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        bundled = (events >= 1) & (events < output_tokens)
        before = np.where(bundled, output_tokens / events, 1.0)
        later = np.where(np.isnan(share), output_tokens - before, output_tokens * share)
        spent_s = finished_s - first_s
        return np.where((output_tokens > 1) & (later > 0) & (spent_s > 0), spent_s / later, np.nan)


def columns(records: pd.DataFrame, *, from_schedule: bool) -> Columns:
    """The arrays of a frame of records; `from_schedule`: latencies start at the planned instant (open loop)."""

    def floats(name: str) -> Floats:
        return records[name].to_numpy(dtype=float, na_value=np.nan)

    error = records["error"]
    ok = error.isna().to_numpy(dtype=bool)
    cut = (error == "cut_at_end").to_numpy(dtype=bool, na_value=False)
    planned = error.isin(list(NOT_FAILURES)).to_numpy(dtype=bool, na_value=False)
    scheduled_s, sent_s, first_s, finished_s = map(floats, ("scheduled_s", "sent_s", "first_token_s", "finished_s"))
    output_tokens = floats("output_tokens")
    begin_s = scheduled_s if from_schedule else sent_s
    failed = ~ok & ~planned
    ended_s = np.where(failed & np.isnan(finished_s), sent_s, finished_s)
    return Columns(
        turn=np.where(records["summary"].to_numpy(dtype=bool, na_value=False), np.nan, floats("turn")),
        entered=records["entered"].to_numpy(dtype=bool, na_value=False),
        repeat=records["repeat"].to_numpy(dtype=bool, na_value=False),
        scheduled_s=scheduled_s,
        sent_s=sent_s,
        first_s=first_s,
        finished_s=finished_s,
        answered_s=np.fmax(floats("answered_s"), finished_s),
        prompt_tokens=floats("prompt_tokens"),
        cached_tokens=floats("cached_tokens"),
        output_tokens=output_tokens,
        requested_tokens=floats("requested_output_tokens"),
        ok=ok,
        failed=failed,
        cut=cut,
        refused=_refused(records),
        timed_out=(error == "timeout").to_numpy(dtype=bool, na_value=False),
        ended_s=np.where(cut, np.nan, ended_s),
        ttft_s=first_s - begin_s,
        e2e_s=finished_s - begin_s,
        tpot_s=tpot_s(first_s, finished_s, output_tokens, floats("events"), floats("tpot_share")),
        server_queue_s=floats("server_queue_s"),
        server_prefill_s=floats("server_prefill_s"),
        server_decode_s=floats("server_decode_s"),
        events=floats("events"),
        max_gap_s=floats("max_gap_s"),
        error=_words(error),
        error_detail=_words(records["error_detail"]),
        request_id=pa.array(records["request_id"].array),
    )


def _words(column: pd.Series) -> Words:
    return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)


def _refused(records: pd.DataFrame) -> dict[Refusal, Bools]:
    masks = {kind: np.zeros(len(records), dtype=bool) for kind in get_args(Refusal)}
    for place in np.flatnonzero(records["error"].notna().to_numpy()):
        said = records["error_detail"].iloc[place]
        refusal = refused_for(str(records["error"].iloc[place]), None if pd.isna(said) else str(said))
        if refusal is not None:
            masks[refusal][place] = True
    return masks


@dataclass(frozen=True, slots=True)
class Stamps:
    """Arrivals where a run kept them, and at which of their places each record is."""

    arrivals: Arrivals
    rows: Ints


def served_in(data: Columns, window: Window) -> Bools:
    """The requests that may have got tokens in the window: those that did not fail, cut ones too."""
    overlaps = (data.sent_s < window.end_s) & ~(data.finished_s < window.start_s)
    return (data.ok | data.cut) & overlaps


def output_tokens(data: Columns, which: Bools, window: Window, stamps: Stamps | None) -> float:
    """The tokens that some requests got in the window, by their arrivals where those were kept."""
    tokens = tokens_in_window(data.first_s[which], data.finished_s[which], data.output_tokens[which], window)
    if stamps is not None:
        counted = stamps.arrivals.tokens_between(
            stamps.rows[which], data.output_tokens[which], window.start_s, window.end_s
        )
        tokens = np.where(np.isnan(counted), tokens, counted)
    return float(tokens.sum())


def tokens_in_window(first_s: Floats, finished_s: Floats, tokens: Floats, window: Window) -> Floats:
    """How many of each request's tokens arrived in the window, when only first and last arrival are known.

    The tokens are taken as evenly spaced from first_token to finished, both ends included; a request whose
    first arrival is unknown (not streamed) got all of them at its end. Unknown counts give 0.
    """
    start = np.where(np.isnan(first_s), finished_s, first_s)
    n = np.nan_to_num(tokens)
    with np.errstate(divide="ignore", invalid="ignore"):
        spacing = np.where(n > 1, (finished_s - start) / (n - 1), 0.0)

        def before(edge_s: float) -> Floats:  # tokens with arrival < edge
            by_spacing = np.ceil((edge_s - start) / spacing)
            flat = np.where(start < edge_s, n, 0.0)
            return np.clip(np.where(spacing > 0, by_spacing, flat), 0, n)

        inside = before(window.end_s) - before(window.start_s)
    return np.where(np.isnan(start), 0.0, inside)
