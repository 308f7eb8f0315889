"""What a tool tells held against itself: figures that cannot be, and figures of one file that contradict one another.

All tools' loads pass here, after they are read and before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import partial

import numpy as np

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.imports.told import Part, Rows, Told
from harness.rundir.impossible import cannot_be, in_words
from harness.rundir.results import Step

NO_TOKENS = "no_tokens"
_CLOCK = ("scheduled_s", "sent_s", "first_token_s", "finished_s")
_SPAN_TIMES, _SPAN_ALSO_S = 1.5, 5.0  # as much longer than the tool's own time may its requests' clock have run


def checked(told: Told, names: str) -> Told:
    """The same, answers without a token as failures, as in a run of ours.

    Raises:
        UsageError: a figure of a load cannot be, requests and the tool's own figures contradict, or models differ.
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
    once = tuple(part for place, part in enumerate(parts) if not any(_same(part, before) for before in parts[:place]))
    return replace(told, parts=once, doubts=(*told.doubts, *_of_copies(told, parts, once), *_of_values(told, once)))


def _same(part: Part, other: Part) -> bool:
    """Whether two results tell the same to the last digit, as no two measurements do."""
    if part.load != other.load or part.model != other.model or part.summary != other.summary:
        return False
    if part.rows is None or other.rows is None:
        return part.rows is other.rows
    pairs = [(getattr(part.rows, f.name), getattr(other.rows, f.name)) for f in fields(Rows)]
    return all(
        np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a == b
        for a, b in pairs
    )


def _of_copies(told: Told, parts: Sequence[Part], once: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if not any(part is kept for kept in once):
            of = next(kept for kept in once if _same(part, kept)).file
            where = "in it twice" if of == part.file else f"in {of} too"
            yield f"{part.file} ({_tool(told)}): a result is {where}, to the last digit: counted once"


def _of_values(told: Told, parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if (rows := part.rows) is None or not len(rows):
            continue
        zero_s = float(np.nanmin(rows.sent_s if rows.scheduled_s is None else rows.scheduled_s))
        found = cannot_be(partial(_column, rows, zero_s))
        if any(bad.any() for bad in found.values()):
            yield f"{part.file} ({_tool(told)}): {in_words(found, len(rows))}"


def _column(rows: Rows, zero_s: float, name: str) -> Floats | None:
    """As it is written: times from the first request on."""
    values: Floats | None = getattr(rows, name, None)
    return values if values is None or name not in _CLOCK else values - zero_s


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
    known_s = np.concatenate([rows.sent_s, rows.finished_s, [] if rows.scheduled_s is None else rows.scheduled_s])
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
