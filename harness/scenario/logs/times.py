"""When requests came: dates or numbers to seconds, the unit told from the numbers, or asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.base.text import printable
from harness.scenario.logs.layout import Layout
from harness.scenario.logs.source import BLANK, Column, Source

SECONDS_PER = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_EPOCH_S = (946_684_800.0, 4_102_444_800.0)  # 2000 to 2100: what a clock that counts from 1970 shows
_SUFFIXES = (
    ("ns", ("_ns", "_nano", "nano", "_nanos")), ("us", ("_us", "_micros")),
    ("ms", ("_ms", "_millis")), ("s", ("_s", "_sec", "_seconds", "msec")),
)  # fmt: skip
_LONG_S = 31 * 86_400.0  # seconds in fractions over longer than this may be another unit
_SHORT_MS = 10 * 86_400.0  # whole numbers over less than this may be seconds or milliseconds
_ZONE = re.compile(r"(?:Z|z|[+-]\d\d:?\d\d|UTC|GMT)$")
_UTC = re.compile(r"(?:Z|z|[+-]00:?00|UTC|GMT)$")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_TIME_LOCAL = "%d/%b/%Y:%H:%M:%S %z"  # as web servers write it


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each row, NaN where it has none; since 1970 if `is_dated`, else since some instant."""

    seconds: Floats
    is_dated: bool
    unit: str  # of the numbers; "date"


def times_of(column: Column, name: str, layout: Layout, unit: str | None, source: Source) -> Times:
    """The times of a column called `name`; `unit`: what the user said.

    Raises:
        UsageError: a value that is no time (with its line), clocks that are mixed, or a unit that cannot be told.
    """
    if isinstance(column, pa.ChunkedArray) and pa.types.is_temporal(column.type):
        moments = pd.to_datetime(column.to_pandas(), utc=True)
        return Times(_epoch_s(moments), True, "date")
    if isinstance(column, pa.ChunkedArray) and (pa.types.is_nested(column.type) or pa.types.is_boolean(column.type)):
        column = [None if value is None else str(value) for value in column.to_pylist()]
    texts, numbers = _parted(column)
    numeric = ~np.isnan(numbers)
    if texts is None:
        return _of_numbers(numbers, name, layout, unit, source, _is_whole(column))
    seconds = _of_dates(texts, name, layout, source)
    if numeric.any():
        n, d = int(np.argmax(numeric)), int(np.argmax(texts.notna().to_numpy()))
        raise UsageError(
            f"{source.path} mixes clocks in `{name}`: {source.place(d)} has {_shown(texts.iloc[d])}, "
            f"{source.place(n)} has {numbers[n]:.15g}",
            hint="one way to write the time in all rows",
        )
    if unit is not None:
        raise UsageError(f"{source.path}: `{name}` holds dates, which have no unit", hint="leave --time-unit out")
    return Times(seconds, True, "date")


def _parted(column: Column) -> tuple[pd.Series[Any] | None, Floats]:
    """(texts that are no number, numbers); None: there is no such text."""
    if isinstance(column, pa.ChunkedArray):
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return None, _floats(column)
        column = pc.utf8_trim_whitespace(column)
        blank = pc.is_in(column, pa.array(BLANK, column.type))
        is_number = pc.match_substring_regex(column, _NUMBER)
        numbers = _floats(pc.if_else(is_number, column, None))
        texts = pc.if_else(pc.or_(is_number, blank), None, column)
        return (None if texts.null_count == len(texts) else texts.to_pandas()), numbers
    values = pd.Series(column, dtype=object)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    other = values.where(np.isnan(numbers) & values.notna().to_numpy() & ~values.isin(BLANK).to_numpy(), None)
    return (other.astype(str).where(other.notna(), None) if other.notna().any() else None), numbers


def _floats(column: pa.ChunkedArray) -> Floats:
    floats: Floats = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False).astype(float)
    return floats


def _of_dates(texts: pd.Series[Any], name: str, layout: Layout, source: Source) -> Floats:
    there = texts.notna().to_numpy()
    given = texts[there].str.strip()
    moments = pd.to_datetime(given, format="ISO8601", utc=True, errors="coerce")
    if moments.isna().all():
        moments = pd.to_datetime(given, format=_TIME_LOCAL, utc=True, errors="coerce")
    bad = moments.isna().to_numpy()
    if bad.any():
        n = int(np.flatnonzero(there)[int(np.argmax(bad))])
        raise UsageError(
            f"{source.row(n)}: not a row of trace layout `{layout.name}`: `{name}` {_shown(texts.iloc[n])} is no time",
            hint="ISO 8601, as 2026-11-01T09:30:00Z, or a number with --time-unit",
        )
    _check_zones(given, name, source)
    seconds = np.full(len(texts), np.nan)
    seconds[there] = _epoch_s(moments)
    return seconds


def _check_zones(given: pd.Series[Any], name: str, source: Source) -> None:
    """Times without a zone are UTC; beside times of another zone that would be a guess."""
    zoned = given.str.contains(_ZONE)
    if zoned.any() and not zoned.all() and not given[zoned].str.contains(_UTC).all():
        example, bare = given[zoned].iloc[0], given[~zoned].iloc[0]
        raise UsageError(
            f"{source.path} mixes clocks in `{name}`: {_shown(example)} has a time zone, {_shown(bare)} has none",
            hint="a zone in all rows, or in none",
        )


def _epoch_s(moments: Any) -> Floats:
    values = moments.to_numpy() if not hasattr(moments, "dt") else moments.dt.tz_localize(None).to_numpy()
    resolution = np.datetime_data(values.dtype)[0]
    whole: Floats = values.astype(np.int64).astype(float) * SECONDS_PER[resolution]
    whole[np.isnat(values)] = np.nan
    return whole


def _of_numbers(numbers: Floats, name: str, layout: Layout, unit: str | None, source: Source, is_whole: bool) -> Times:
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return Times(numbers, False, unit or "s")
    low, high = float(known.min()), float(known.max())
    epoch = next((u for u, per in SECONDS_PER.items() if _is_epoch(low * per) and _is_epoch(high * per)), None)
    chosen = unit or epoch or layout.unit or _unit_by_name(name)
    if chosen is None:
        chosen = _unit_by_size(high - low, is_whole, layout, name, source)
    seconds = numbers * SECONDS_PER[chosen]
    is_dated = _is_epoch(low * SECONDS_PER[chosen])
    return Times(seconds, is_dated, chosen)


def _is_epoch(seconds: float) -> bool:
    return _EPOCH_S[0] <= seconds <= _EPOCH_S[1]


def _unit_by_name(name: str) -> str | None:
    low = name.lower()
    return next((unit for unit, ends in _SUFFIXES if low.endswith(ends)), None)


def _unit_by_size(span: float, is_whole: bool, layout: Layout, name: str, source: Source) -> str:
    """The unit of numbers that no one has named and that are no date.

    Mooncake's traces count whole milliseconds, those who took over its names mostly seconds, in fractions. What could
    be either is asked for: a unit guessed wrongly is a volume that is wrong a thousand times.
    """
    if span == 0:
        return "s"
    if layout.name == "mooncake":
        if not is_whole and span <= _LONG_S:
            return "s"
        if is_whole and span > _SHORT_MS:
            return "ms"
    raise UsageError(
        f"{source.path}: `{name}` spans {span:,.6g}, which could be {_length(span)} (seconds) or "
        f"{_length(span / 1e3)} (milliseconds)",
        hint="say which: --time-unit s, ms, us or ns; in a scenario `load.time_unit`",
    )


def _is_whole(column: Column) -> bool:
    """Whether the numbers are written as whole ones: 3600, not 3600.0."""
    if isinstance(column, pa.ChunkedArray):
        if pa.types.is_integer(column.type):
            return True
        if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
            return False
        return not pc.any(pc.match_substring(column, ".")).as_py()
    return not any(isinstance(value, float) or (isinstance(value, str) and "." in value) for value in column)


def _length(seconds: float) -> str:
    for size, word in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {word}"
    return f"{seconds:.3g} s"


def _shown(value: Any) -> str:
    return printable(repr(str(value)), 60)
