"""Request logs to replay: when each request came and how long it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.base.errors import UsageError
from harness.scenario.load import TraceLoad
from harness.scenario.logs.blocks import MOONCAKE_BLOCK_TOKENS
from harness.scenario.logs.layout import TimeUnit
from harness.scenario.logs.reading import read_log


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a log; `arrival_s` counts from the log's first request."""

    arrival_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()  # equal ids are equal text, which a prefix cache may share
    block_tokens: int = MOONCAKE_BLOCK_TOKENS  # that one of them stands for


@dataclass(frozen=True, slots=True)
class Trace:
    """The requests of a log that can be sent again, in order of arrival."""

    rows: list[TraceRow]
    layout: str
    left_out: Mapping[str, int]  # rows that are not sent, by why

    @property
    def span_s(self) -> float:
        """From the first request to the last, in seconds."""
        return self.rows[-1].arrival_s

    @property
    def skipped(self) -> int:
        """Rows that are not sent."""
        return sum(self.left_out.values())


def trace_of(load: TraceLoad, base_dir: Path) -> Trace:
    """The log that a scenario replays; `base_dir` is where its path starts."""
    return read_trace(
        base_dir / load.file, max_requests=load.max_requests, columns=load.columns, time_unit=load.time_unit
    )


def read_trace(
    path: Path,
    *,
    max_requests: int | None = None,
    columns: Mapping[str, str] | None = None,
    time_unit: TimeUnit | None = None,
) -> Trace:
    """Read a request log to be replayed; `max_requests` keeps the first so many in order of arrival.

    Raises:
        UsageError: as `read_log` does, and for a log that says not when each single request came.
    """
    log = read_log(path, columns=columns, time_unit=time_unit, wants_blocks=True)
    if log.is_aggregate:
        raise UsageError(
            f"{path} is an aggregate ({log.layout}), {log.requests:,.0f} requests in {len(log.served):,} rows: it does "
            "not say when each request came nor how long it was",
            hint="`breakeven demand from-trace` makes a month of it; a replay needs a log with a row a request",
        )
    if log.unit == "none" and len(log.served) > 1:
        raise UsageError(
            f"{path} says not when its requests came ({log.layout})",
            hint="its lengths alone make a demand: `breakeven demand from-trace`",
        )
    good = np.flatnonzero(log.served > 0)[:max_requests]
    first_s = log.arrival_s[good[0]]
    blocks = log.blocks
    rows = [
        TraceRow(
            float(log.arrival_s[n] - first_s),
            round(float(log.input_tokens[n])),
            round(float(log.output_tokens[n])),
            blocks[n] if blocks is not None else (),
            log.block_tokens,
        )
        for n in good.tolist()
    ]
    failed = int(log.failed.sum())
    return Trace(rows, log.layout, {**log.left_out, **({"that failed": failed} if failed else {})})
