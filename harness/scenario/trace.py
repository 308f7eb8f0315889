"""Request logs: when each request came and how long it was, in our layout or one of the published traces'.

| layout | how it is known | time |
|---|---|---|
| ours | `arrival_s, input_tokens, output_tokens` (CSV or JSONL) | seconds |
| Azure LLM 2023, 2024 | CSV `TIMESTAMP,ContextTokens,GeneratedTokens` | date and time, UTC |
| BurstGPT | CSV `Timestamp,...,Request tokens,Response tokens,...` | seconds from a midnight |
| Mooncake | JSONL `timestamp, input_length, output_length[, hash_ids]` | milliseconds |

In ours, `arrival_s` may also be an ISO 8601 date and time. Rows without input or output tokens (failures,
in BurstGPT) are left out and counted.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import UsageError
from harness.base.text import printable

LONGEST_SPAN_S = 3660 * 86_400.0  # ten years
MOST_TOKENS = 10**9  # of one request
MOONCAKE_BLOCK_TOKENS = 512  # tokens that one of its hash_ids stands for


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a log; `arrival_s` counts from the log's first request."""

    arrival_s: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()  # Mooncake: equal ids are equal text, which a prefix cache may share


@dataclass(frozen=True, slots=True)
class Trace:
    """A request log in order of arrival."""

    rows: list[TraceRow]
    layout: str
    skipped: int  # rows without tokens
    first_hour_s: float | None  # seconds from midnight to the first request; None where the log has no clock

    @property
    def span_s(self) -> float:
        """From the first request to the last, in seconds."""
        return self.rows[-1].arrival_s


@dataclass(frozen=True, slots=True)
class _Layout:
    name: str
    arrival: str
    input_tokens: str
    output_tokens: str
    seconds_per_unit: float = 1.0
    from_midnight: bool = False


LAYOUTS = (
    _Layout("ours", "arrival_s", "input_tokens", "output_tokens"),
    _Layout("azure", "TIMESTAMP", "ContextTokens", "GeneratedTokens"),
    _Layout("burstgpt", "Timestamp", "Request tokens", "Response tokens", from_midnight=True),
    _Layout("mooncake", "timestamp", "input_length", "output_length", seconds_per_unit=1e-3),
)
_KNOWN = "ours (arrival_s, input_tokens, output_tokens), Azure LLM, BurstGPT, Mooncake"


def read_trace(path: Path, *, max_requests: int | None = None) -> Trace:
    """Read a request log; `max_requests` keeps the first so many in order of arrival.

    Raises:
        UsageError: no such file, no known layout, a value that is no number (with its line), or no request.
    """
    layout: _Layout | None = None
    rows: list[TraceRow] = []
    skipped, is_dated = 0, False
    for number, raw in _raw_rows(path):
        if layout is None:
            layout = _layout_of(raw, path)
        try:
            arrival_s, dated = _arrival(raw[layout.arrival], layout)
            input_tokens, output_tokens = (int(float(raw[layout.input_tokens])), int(float(raw[layout.output_tokens])))
            blocks = tuple(int(block) for block in raw.get("hash_ids") or ())
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UsageError(f"{path}:{number}: not a row of trace layout `{layout.name}`: {_what(error)}") from None
        is_dated = is_dated or dated
        if input_tokens < 1 or output_tokens < 1:
            skipped += 1
            continue
        rows.append(TraceRow(arrival_s, input_tokens, output_tokens, blocks))
    if layout is None or not rows:
        raise UsageError(f"{path} holds no request", hint=f"layouts: {_KNOWN}")
    if any(max(row.input_tokens, row.output_tokens) > MOST_TOKENS for row in rows):
        raise UsageError(f"{path}: a request of more than {MOST_TOKENS:,} tokens")
    rows.sort(key=lambda row: row.arrival_s)
    first_s = rows[0].arrival_s
    kept = [replace(row, arrival_s=row.arrival_s - first_s) for row in rows[:max_requests]]
    if kept[-1].arrival_s > LONGEST_SPAN_S:
        days = f"{kept[-1].arrival_s / 86_400:,.0f} days, at most {LONGEST_SPAN_S / 86_400:,.0f}"
        raise UsageError(f"{path} spans {days}: are all its times in one unit?")
    has_hours = is_dated or layout.from_midnight
    return Trace(kept, layout.name, skipped, first_s % 86_400 if has_hours else None)


def _raw_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line number, row) of a CSV with a header or of JSON lines."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if first.lstrip().startswith("{"):
                yield from _json_rows(path, first, file)
                return
            reader = csv.DictReader(file, fieldnames=[name.strip() for name in next(csv.reader([first]), [])])
            for row in reader:
                yield reader.line_num + 1, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        detail = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"cannot read the trace {path}: {detail}") from None


def _json_rows(path: Path, first: str, rest: Iterator[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate([first, *rest], start=1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise UsageError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise UsageError(f"{path}:{number}: a {type(row).__name__}, expected an object")
        yield number, row


def _layout_of(row: Mapping[str, Any], path: Path) -> _Layout:
    for layout in LAYOUTS:
        if {layout.arrival, layout.input_tokens, layout.output_tokens} <= set(row):
            return layout
    columns = ", ".join(str(name) for name in row)[:120]
    raise UsageError(f"{path} has the columns {columns}: no known layout of a trace", hint=f"known: {_KNOWN}")


def _arrival(value: Any, layout: _Layout) -> tuple[float, bool]:
    """Seconds, and whether they come from a date."""
    if isinstance(value, str) and "-" in value.strip()[1:] and ":" in value:
        return _seconds_of(value.strip()), True
    seconds = float(value) * layout.seconds_per_unit
    if not abs(seconds) < 1e12:
        raise ValueError(f"arrival {value!r} is no time")
    return seconds, False


def _seconds_of(text: str) -> float:
    """Unix seconds of `2023-11-16 18:17:03.9799600` (seven digits, as Azure writes) or of any ISO 8601 time.

    Without a zone it is taken as UTC.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _what(error: Exception) -> str:
    return printable(f"no {error}" if isinstance(error, KeyError) else str(error))
