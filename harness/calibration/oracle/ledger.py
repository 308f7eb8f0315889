"""What the oracle really sent against what a client recorded: errors in seconds, tokens lost and invented.

Errors are client minus truth. The truth of a time to first token is the first token's real send time minus
the arrival of the request's last byte, both stamped by the server; of a gap, the difference of two send
times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.base.units import NS_PER_S, US_PER_S
from harness.rundir.read import read_lines


def read_ledger(path: Path) -> pd.DataFrame:
    """The ledger, one row a request (columns: `harness.calibration.oracle.stream`); lists stay lists.

    Raises:
        UsageError: a line in its middle is not JSON.
    """
    rows = list(read_lines(path))
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=_JOINED_COLUMNS)


_JOINED_COLUMNS = [
    "request_id", "stream", "finished", "tokens_sent",
    "received_monotonic_ns", "sent_monotonic_ns", "lateness_ns",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Joined:
    """A client's records beside the truth.

    `requests` has one row for every request known to both, with the columns of `join`; `itl_error_s` is every
    gap's error; `unknown_to_client` and `unknown_to_server` are request ids only the other side has.
    """

    requests: pd.DataFrame
    itl_error_s: np.ndarray
    unknown_to_client: tuple[str, ...]
    unknown_to_server: tuple[str, ...]
    lateness_s: np.ndarray  # the server's own, one per token sent


def join(
    records: pd.DataFrame, ledger: pd.DataFrame, arrivals: Mapping[str, Sequence[int] | np.ndarray] | None = None
) -> Joined:
    """Join a run's records (`store.read_records`) with the ledger by request id.

    Columns of the result's `requests`: `request_id`; `is_whole` (ended well on both sides, so that its times can be
    judged); `ttft_error_s`, `e2e_error_s`; `lost`, `invented` (tokens). A streamed request is known by its token
    events, of which the oracle sends one a token, and by the count the client reports; the worse of the two is taken.
    Whatever the client calls failed although the server sent it whole is lost; what was cut at the end is not, but
    nothing may be invented there either.
    A record that was never sent (`not_sent`) is no request. Unknown times give NaN.
    """
    sent = records[records["error"].fillna("") != "not_sent"]
    both = sent.merge(ledger, on="request_id", suffixes=("", "_truth"), validate="one_to_one")
    rows = pd.DataFrame([_compare(row) for row in both.to_dict("records")], columns=_COLUMNS)
    known, true = set(sent["request_id"]), set(ledger["request_id"])
    lateness = [np.asarray(values, dtype=float) for values in ledger["lateness_ns"]]
    return Joined(
        requests=rows,
        itl_error_s=_gap_errors(both, arrivals or {}),
        unknown_to_client=tuple(sorted(true - known)),
        unknown_to_server=tuple(sorted(known - true)),
        lateness_s=np.concatenate([np.empty(0), *lateness]) / NS_PER_S,
    )


_COLUMNS = ["request_id", "is_whole", "ttft_error_s", "e2e_error_s", "lost", "invented"]


def _compare(row: Mapping[Any, Any]) -> dict[str, Any]:
    """One request's errors; `row` is its record and its ledger line together."""
    stamps = row["sent_monotonic_ns"] or [float("nan")]
    true_ttft_s, true_e2e_s = ((stamp - row["received_monotonic_ns"]) / NS_PER_S for stamp in (stamps[0], stamps[-1]))
    is_whole = bool(row["finished"]) and pd.isna(row["error"])
    was_cut = not row["finished"] or (not pd.isna(row["error"]) and row["error"] == "cut_at_end")
    sent_s, first_token_s, finished_s = (_number(row[k]) for k in ("sent_s", "first_token_s", "finished_s"))
    counts = [int(row["output_tokens"])] if not pd.isna(row["output_tokens"]) else []
    if row["stream"]:
        counts.append(int(row["events"]))
    truth = int(row["tokens_sent"])
    return {
        "request_id": row["request_id"],
        "is_whole": is_whole,
        "ttft_error_s": (first_token_s - sent_s) - true_ttft_s,
        "e2e_error_s": (finished_s - sent_s) - true_e2e_s,
        "lost": max(0, truth - min(counts, default=0)) if not was_cut else 0,
        "invented": max(0, max(counts, default=0) - truth),
    }


def _number(value: Any) -> float:
    return float("nan") if pd.isna(value) else float(value)


def _gap_errors(both: pd.DataFrame, arrivals: Mapping[str, Sequence[int] | np.ndarray]) -> np.ndarray:
    """Client gap minus true gap for every pair of tokens, in requests whose tokens all arrived one by one."""
    errors = [np.empty(0)]
    for request_id, stamps in zip(both["request_id"], both["sent_monotonic_ns"], strict=True):
        seen = arrivals.get(request_id)
        if seen is not None and len(seen) == len(stamps) > 1:
            errors.append(np.diff(np.asarray(seen)) / US_PER_S - np.diff(np.asarray(stamps)) / NS_PER_S)
    return np.concatenate(errors)


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """How wrong one quantity was, in seconds: percentiles of the error's size, and its signed median."""

    n: int
    median_s: float | None  # signed: above 0 the client says later or longer than the truth
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


def summarize(errors_s: Sequence[float] | np.ndarray | pd.Series) -> ErrorSummary:
    """Percentiles of |error|; NaN (unknown) is left out and not counted."""
    values = np.asarray(errors_s, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return ErrorSummary(0, None, None, None, None)
    p50, p99, most = np.percentile(np.abs(values), [50, 99, 100])
    return ErrorSummary(len(values), float(np.median(values)), float(p50), float(p99), float(most))
