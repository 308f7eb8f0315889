"""What a tool tells held against itself: figures that cannot be, and figures of one file that contradict one another.

All tools' loads pass here, after they are read and before anything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.base.errors import UsageError
from harness.imports.told import Part, Rows, Told
from harness.rundir.results import Step

NO_TOKENS = "no_tokens"
_SPAN_TIMES, _SPAN_ALSO_S = 1.5, 5.0  # as much longer than the tool's own time may its requests' clock have run


def checked(told: Told, names: str) -> Told:
    """The same, answers without a token as failures, as in a run of ours.

    Raises:
        UsageError: a figure cannot be, requests and the tool's own figures contradict, or models differ.
    """
    parts = tuple(part if part.rows is None else replace(part, rows=_failed(part.rows)) for part in told.parts)
    for part in parts:
        problem = _of_summary(part.summary) if part.summary is not None else _of_rows(part)
        if problem is not None:
            raise UsageError(f"{names} ({_tool(told)}): {problem}", hint="is it whole, and as the tool wrote it?")
    models = list(dict.fromkeys(part.model for part in parts if part.model))
    if len(models) > 1:
        raise UsageError(
            f"{names} ({_tool(told)}): they are of different models: {', '.join(models)}",
            hint="import those of each model by themselves, and `compare` them",
        )
    return replace(told, parts=parts)


def _tool(told: Told) -> str:
    return f"{told.tool} {told.version}" if told.version else told.tool


def _failed(rows: Rows) -> Rows:
    if rows.output_tokens is None or not (rows.output_tokens == 0).any():
        return rows
    errors = rows.error or [None] * len(rows)
    empty = rows.output_tokens == 0
    marked = [error or (NO_TOKENS if none else None) for error, none in zip(errors, empty, strict=True)]
    return replace(rows, error=marked)


def _of_rows(part: Part) -> str | None:
    rows = part.rows
    assert rows is not None
    errors: Sequence[str | None] = rows.error or [None] * len(rows)
    answered = sum(error is None for error in errors)
    if part.answered is not None and len(rows) < part.answered:
        return f"it has {len(rows):,} requests, and its own figures say that {part.answered:,} were answered"
    if part.answered is not None and answered > part.answered:
        return (
            f"{answered:,} of its requests have no error, and its own figures say that {part.answered:,} were answered"
        )
    known_s = np.concatenate([rows.sent_s, rows.finished_s])
    known_s = known_s[~np.isnan(known_s)]
    span_s = float(np.ptp(known_s)) if len(known_s) else 0.0
    if part.took_s is not None and span_s > _SPAN_TIMES * part.took_s + _SPAN_ALSO_S:
        return f"its requests span {span_s:,.6g} s, and by its own figures it took {part.took_s:,.6g} s"
    return None


def _of_summary(step: Step) -> str | None:
    latencies = {"TTFT": step.ttft_s, "TPOT": step.tpot_s, "E2E": step.e2e_s}
    figures: dict[str, float | None] = {
        "number of requests": step.requests,
        "number of answered requests": step.requests - step.failed,
        "number of failed requests": step.failed,
        "time in seconds": step.window.end_s,
        "requests/s": step.requests_per_s,
        "output tokens/s": step.output_tokens_per_s,
        "input tokens/s": step.input_tokens_per_s,
        "mean input length": step.mean_input_tokens,
        "mean output length": step.mean_output_tokens,
    } | {
        f"{name} {key}": getattr(of, key)
        for name, of in latencies.items()
        for key in ("mean", "p50", "p90", "p95", "p99")
    }
    wrong = next(((name, value) for name, value in figures.items() if value is not None and value < 0), None)
    return None if wrong is None else f"its {wrong[0]} is {wrong[1]:g}, which cannot be"
