"""Counts and names out of a log's columns; what is blank is unknown, what is no number is said with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.base.text import printable
from harness.scenario.logs.layout import Layout
from harness.scenario.logs.source import BLANK, Column, Source

Bools = npt.NDArray[np.bool_]
_THOUSANDS = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$")
_LEADING_NUMBER = re.compile(r"-?\d+(\.\d+)?(?=\s|$)")
_FAILED = frozenset({"failure", "failed", "fail", "error", "status_code_error", "timeout", "exception"})
_FINE = frozenset({"ok", "unset", "success", "none", "false", "0", ""})


@dataclass(frozen=True, slots=True)
class Names:
    """A name for each row: an index into `names`, -1 where there is none."""

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def only(self, rows: npt.NDArray[Any]) -> Names:
        """Those of some rows, in their order."""
        return Names(self.codes[rows], self.names)


def numbers_of(column: Column, name: str, layout: Layout, source: Source) -> Floats:
    """The column as numbers, NaN where it is blank.

    Raises:
        UsageError: a value that is no number; names its line.
    """
    try:
        if isinstance(column, pa.ChunkedArray):
            found: Floats = pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False).astype(float)
            return found
        return np.array(column, dtype=float)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, TypeError):
        values = column.to_pylist() if isinstance(column, pa.ChunkedArray) else column
        return np.array([_number(value, n, name, layout, source) for n, value in enumerate(values)], dtype=float)


def _number(value: Any, n: int, name: str, layout: Layout, source: Source) -> float:
    if value is None:
        return np.nan
    if isinstance(value, str):
        value = value.strip()
        if value in BLANK:
            return np.nan
        if _THOUSANDS.match(value):
            value = value.replace(",", "")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        shown = printable(repr(value), 60)
        raise UsageError(
            f"{source.row(n)}: not a row of trace layout `{layout.name}`: `{name}` {shown} is no number"
        ) from None


def names_of(column: Column) -> Names:
    """The column as names."""
    if not isinstance(column, pa.ChunkedArray) or pa.types.is_nested(column.type):
        values = column.to_pylist() if isinstance(column, pa.ChunkedArray) else column
        column = pa.chunked_array([pa.array([None if value is None else str(value) for value in values], pa.string())])
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    known = pc.if_else(pc.is_in(texts, pa.array(BLANK)), None, texts).combine_chunks().dictionary_encode()
    parts = known.chunks if isinstance(known, pa.ChunkedArray) else [known]
    codes = np.concatenate([part.indices.fill_null(-1).to_numpy(zero_copy_only=False) for part in parts])
    return Names(codes.astype(np.int32), tuple(parts[0].dictionary.to_pylist()))


def failures_of(column: Column, name: str) -> Bools:
    """Which rows failed: an HTTP status of 400 on (or below 0), a word that says so, or any word as an `error`."""
    states, is_error = names_of(column), name.startswith("error")
    bad = [state.lower() not in _FINE if is_error else _is_failure(state) for state in states.names]
    failed = np.array([*bad, False], dtype=bool)
    return failed[states.codes]


def _is_failure(state: str) -> bool:
    word = state.lower()
    if word in _FINE or word in ("default", "debug", "warning"):  # levels, not failures
        return False
    number = _LEADING_NUMBER.match(word)  # 503, or 503 Service Unavailable
    if number is None:
        return word in _FAILED or word.endswith(("error", "exception", "timeout")) or word == "true"
    return float(number[0]) >= 400 or float(number[0]) < 0


def truths_of(column: Column) -> Bools:
    """Which rows say true."""
    states = names_of(column)
    return np.array([state.lower() in ("true", "1", "hit", "t") for state in states.names] + [False])[states.codes]
