"""The rows of a part as records.parquet: every column of the contract, null where the tool tells nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.base.stats import Floats
from harness.imports.placing import Placed
from harness.imports.told import Rows, Texts
from harness.rundir.records import RequestRecord

_TYPES = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}  # everything else is text
_SCHEMA = pa.schema(
    [(f.name, _TYPES.get(str(f.type).removesuffix(" | None"), pa.string())) for f in fields(RequestRecord)]
)
_DEFAULTS: dict[str, Any] = {
    "attempt": 1, "summary": False, "repeat": False, "resent": 0, "unreadable_events": 0, "clock": "user",
    "process": 0, "preflight": False, "retried": False,
}  # fmt: skip


def table_of(step: Placed, *, url: str) -> pa.Table:
    """One part's rows, on the run's clock."""
    rows, number = step.rows, step.ran.step
    count = len(rows)
    ids = rows.request_id or [f"{number}-{i}" for i in range(count)]
    known: dict[str, Any] = {
        "request_id": pa.array(ids, pa.string()),
        "step": _same(number, count),
        "session": _texts(rows.session),
        "turn": _counts(rows.turn),
        "scheduled_s": _seconds(rows.sent_s if rows.scheduled_s is None else rows.scheduled_s, step.zero_s),
        "sent_s": _seconds(rows.sent_s, step.zero_s),
        "first_token_s": _seconds(rows.first_token_s, step.zero_s),
        "finished_s": _seconds(rows.finished_s, step.zero_s),
        "prompt_tokens": _counts(rows.prompt_tokens),
        "cached_tokens": _counts(rows.cached_tokens),
        "output_tokens": _counts(rows.output_tokens),
        "requested_output_tokens": _counts(rows.requested_output_tokens),
        "reasoning_tokens": _counts(rows.reasoning_tokens),
        "token_source": _sources(rows, count),
        "events": _counts(rows.events),
        "max_gap_s": _seconds(rows.max_gap_s, 0.0),
        "error": _texts(rows.error),
        "error_detail": _texts(rows.error_detail),
        "url": _same(url, count),
        **{name: _same(value, count) for name, value in _DEFAULTS.items()},
    }
    columns = [pa.nulls(count, f.type) if known.get(f.name) is None else known[f.name].cast(f.type) for f in _SCHEMA]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def write_rows(path: Path, tables: Sequence[pa.Table]) -> None:
    """All parts in one file."""
    with pq.ParquetWriter(path, _SCHEMA) as writer:
        for table in tables:
            writer.write_table(table)


def _sources(rows: Rows, count: int) -> pa.Array:
    """Who counted; nobody where there is no count."""
    if rows.output_tokens is None:
        return _same("unknown", count)
    return pa.array(np.where(np.isnan(rows.output_tokens), "unknown", rows.token_source), pa.string())


def _same(value: Any, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), count)


def _texts(values: Texts | None) -> pa.Array | None:
    return None if values is None else pa.array(values, pa.string())


def _seconds(values: Floats | None, zero_s: float) -> pa.Array | None:
    return None if values is None else pa.array(values - zero_s, pa.float64(), from_pandas=True)


def _counts(values: Floats | None) -> pa.Array | None:
    return None if values is None else pa.array(np.rint(values), pa.float64(), from_pandas=True)
