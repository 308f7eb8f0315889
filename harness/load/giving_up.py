"""When a probe of a number of users is lost before it ends: too many of its requests broke a limit already."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from harness.records import NOT_FAILURES
from harness.stats import MIN_SLO_SAMPLES

LATE_S = 1.0  # rows reach the disk, and then us, at most this much after they ended


@dataclass(slots=True)
class Tally:
    """What a probe's window has so far: latencies in seconds by kind (ttft, tpot, e2e), and failures."""

    latencies_s: dict[str, list[float]] = field(default_factory=lambda: {"ttft": [], "tpot": [], "e2e": []})
    failed: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of the window; definitions as in harness.metrics, from when it was sent."""
        if row["error"] is not None:
            self.failed += row["error"] not in NOT_FAILURES
            return
        sent_s, first_s, end_s, tokens = (
            row[key] for key in ("sent_s", "first_token_s", "finished_s", "output_tokens")
        )
        if first_s is not None:
            self.latencies_s["ttft"].append(first_s - sent_s)
        if end_s is not None:
            self.latencies_s["e2e"].append(end_s - sent_s)
        if first_s is not None and end_s is not None and (tokens or 0) > 1:
            self.latencies_s["tpot"].append((end_s - first_s) / (tokens - 1))


def most_to_come(tally: Tally, users: int, left_s: float) -> int | None:
    """The most requests of the window that can still end well; None while too few did to say.

    Each user has one under way and begins others until the window ends, none faster than the fastest so far.
    """
    ended = tally.latencies_s["e2e"]
    if len(ended) < MIN_SLO_SAMPLES or min(ended) <= 0:
        return None
    return users * (1 + math.ceil(max(left_s, 0.0) / min(ended)))


def cannot_pass(tally: Tally, to_come: int, limits: Mapping[str, float], error_rate: float) -> bool:
    """Whether a limit stays broken even if all `to_come` further requests end well and within it.

    A percentile (linear interpolation over n values) is surely above its limit when no more than
    floor((n - 1) p) values are within it. More values make that harder, so the most that can be decide.
    """
    well = len(tally.latencies_s["e2e"])
    if well + tally.failed >= MIN_SLO_SAMPLES and tally.failed > error_rate * (well + tally.failed + to_come):
        return True
    for key, limit_s in limits.items():
        kind, percentile, _ = key.split("_")
        values = tally.latencies_s[kind]
        total = len(values) + to_come
        within = sum(value <= limit_s for value in values) + to_come
        if len(values) >= MIN_SLO_SAMPLES and within <= (total - 1) * int(percentile[1:]) // 100:
            return True
    return False


class NewRows:
    """The rows that the load processes append to their `records-<pid>.jsonl`, each given once."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._read: dict[Path, int] = {}  # bytes

    def take(self) -> Iterable[dict[str, Any]]:
        """Rows since the last call; a line that is not whole yet comes with the next."""
        for path in sorted(self._run_dir.glob("records-*.jsonl")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            yield from map(orjson.loads, whole.splitlines())
