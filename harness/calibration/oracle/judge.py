"""One run against the oracle's ledger: how wrong its times, which tokens lost, how late the server."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.base.units import NS_PER_S
from harness.calibration.oracle.ledger import ErrorSummary, join, read_ledger, summarize
from harness.rundir.read import read_arrivals, read_records
from harness.rundir.steps import read_steps


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a client's numbers are worth: times of requests scheduled after warm-up, counts of all."""

    requests: int  # judged for their times
    tokens_sent: int  # by the server, in all requests
    tokens_lost: int
    tokens_invented: int
    requests_only_server_knows: int
    requests_only_client_knows: int
    ttft: ErrorSummary
    e2e: ErrorSummary
    itl: ErrorSummary  # n is 0 when the run kept no arrivals
    lateness: ErrorSummary  # of the server against its own plan
    tokens_per_s: float | None  # really sent, in the steps' windows
    kernel_stamped: int  # of `requests`

    @property
    def is_complete(self) -> bool:
        """True when both sides know the same requests and the same tokens."""
        differing = (
            self.tokens_lost,
            self.tokens_invented,
            self.requests_only_server_knows,
            self.requests_only_client_knows,
        )
        return not any(differing)


def judge(run_dir: Path, ledger_path: Path, *, started_monotonic_ns: int) -> Judgement:
    """Judge a run directory that was filled on this machine while an oracle wrote `ledger_path`."""
    records, ledger = read_records(run_dir), read_ledger(ledger_path)
    windows = [(step.window_start_s, step.end_s) for step in read_steps(run_dir) if step.end_s is not None]
    warm = records[_in_any(records["scheduled_s"].to_numpy(float), windows)]
    everything = join(records, ledger)
    kept = read_arrivals(run_dir)
    timed = join(warm, ledger, kept.by_request() if kept is not None else {})
    whole = timed.requests[timed.requests["is_whole"].astype(bool)]
    # what the server never saw, but for what was cut at the end before it could
    cut = set(records.loc[records["error"] == "cut_at_end", "request_id"])
    return Judgement(
        requests=len(whole),
        tokens_sent=int(ledger["tokens_sent"].sum()),
        tokens_lost=int(everything.requests["lost"].sum()),
        tokens_invented=int(everything.requests["invented"].sum()),
        requests_only_server_knows=len(everything.unknown_to_client),
        requests_only_client_knows=len(set(everything.unknown_to_server) - cut),
        ttft=summarize(whole["ttft_error_s"]),
        e2e=summarize(whole["e2e_error_s"]),
        itl=summarize(timed.itl_error_s),
        lateness=summarize(everything.lateness_s),
        tokens_per_s=_tokens_per_s(ledger, windows, started_monotonic_ns),
        kernel_stamped=int((warm["request_id"].isin(whole["request_id"]) & (warm["clock"] == "kernel")).sum()),
    )


def _in_any(values: np.ndarray, windows: list[tuple[float, float]]) -> np.ndarray:
    inside = np.zeros(len(values), dtype=bool)
    for start_s, end_s in windows:
        inside |= (values >= start_s) & (values < end_s)
    return inside


def _tokens_per_s(ledger: pd.DataFrame, windows: list[tuple[float, float]], started_ns: int) -> float | None:
    length_s = sum(end_s - start_s for start_s, end_s in windows)
    if length_s <= 0:
        return None
    stamps = [np.asarray(row, dtype=np.int64) for row in ledger["sent_monotonic_ns"]]
    sent_s = (np.concatenate([np.empty(0, np.int64), *stamps]) - started_ns) / NS_PER_S
    return float(_in_any(sent_s, windows).sum() / length_s)
