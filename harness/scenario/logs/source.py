"""A log's columns out of its file: CSV and Parquet by pyarrow, JSON value by value; gzip in front of any text."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.scenario.json_stream import JsonStream, NotJson
from harness.scenario.logs.json_rows import Row, rows_of
from harness.scenario.logs.packed import CHUNK_ROWS, Inside, Packed, inside_of

Column = Any  # pa.ChunkedArray of a table, or a list of what JSON held
BLANK = ("", "null", "NULL", "None", "none", "nan", "NaN", "NA", "N/A", "n/a", "-", "\\N")
_SHORT_ROW = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"
_BLOCK_BYTES = 1 << 24  # a row is no longer, whatever texts it holds
_LOOKED_AT = 1000  # rows of JSON whose keys are its columns


@dataclass(frozen=True, slots=True)
class Source:
    """A log file: the columns that it has, how to read some of them, and the line of a row."""

    path: Path
    columns: tuple[str, ...]
    read: Callable[[Sequence[str]], dict[str, Column]]
    line_of: Callable[[int], int | None]
    chunks: Callable[[str], Iterator[list[Any]]]

    def values(self, column: str) -> Iterator[list[Any]]:
        """The values of one column (or of what lies inside one), part by part: they may be long texts."""
        head = column if column in self.columns else column.partition("/")[0]
        with _said(self.path):
            for chunk in self.chunks(head):
                yield chunk if head == column else inside_of(column, chunk)

    def row(self, n: int) -> str:
        """`FILE:LINE` of row `n`, from 0, for a message."""
        line = self.line_of(n)
        return f"{self.path}:{line}" if line is not None else f"{self.path}: row {n + 1}"

    def place(self, n: int) -> str:
        """The line of row `n`, from 0, for a message that names the file."""
        line = self.line_of(n)
        return f"line {line}" if line is not None else f"row {n + 1}"


def open_source(path: Path) -> Source:
    """What a file is, by its first bytes.

    Raises:
        UsageError: it cannot be read, or is nothing of the kind.
    """
    with _said(path):
        source = _opened(path)

    def read(columns: Sequence[str]) -> dict[str, Column]:
        with _said(path):
            return source.read(columns)

    return replace(source, read=read)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Whatever is wrong with the file, in one line."""
    try:
        yield
    except UnicodeDecodeError:
        raise UsageError(f"cannot read the trace {path}: not UTF-8 text", hint="save it as UTF-8") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException, csv.Error) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or "it ends too early"
        raise UsageError(f"cannot read the trace {path}: {printable(detail.splitlines()[0], 200)}") from None


def _opened(path: Path) -> Source:
    with path.open("rb") as file:
        first = file.read(4)
    if first == _PARQUET:
        return _parquet(path)
    if first == _ZIP:
        raise UsageError(f"{path} is a zip archive or a spreadsheet", hint="unpack it, or save the table as CSV")
    with _text(path) as text:
        begins = next((line.lstrip()[:1] for line in text if line.strip()), "")
    return _json(path) if begins in ("{", "[") else _csv(path)


def _text(path: Path) -> TextIO:
    if _is_gzip(path):
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _bytes(path: Path) -> Any:
    return gzip.open(path) if _is_gzip(path) else path.open("rb")


# CSV


def _csv(path: Path) -> Source:
    with _text(path) as text:
        line = next((line for line in text if line.strip()), "")
    delimiter = max(",;\t", key=line.count)
    names = next(csv.reader([line], delimiter=delimiter), [])
    wanted = {name.strip(): name for name in names}
    if len(wanted) < len(names):
        twice = next(name for name in wanted if sum(other.strip() == name for other in names) > 1)
        raise UsageError(f"{path} has two columns `{printable(twice)}`", hint="name each column once")

    def read(columns: Sequence[str]) -> dict[str, Column]:
        heads = _heads(columns, wanted)
        table = _csv_table(path, delimiter, [wanted[head] for head in heads])
        return _columns_of({head: table[wanted[head]] for head in heads}, heads)

    def chunks(head: str) -> Iterator[list[Any]]:
        with _csv_stream(path) as stream:
            reader = pa_csv.open_csv(stream, **_csv_options(path, delimiter, [wanted[head]]))
            for batch in reader:
                yield batch.column(0).to_pylist()

    return Source(path, tuple(wanted), read, lambda n: _csv_line(path, delimiter, n), chunks)


def _csv_line(path: Path, delimiter: str, n: int) -> int | None:
    """The line in which row `n` after the header ends: cells may have line breaks."""
    with _text(path) as text:
        reader = csv.reader(text, delimiter=delimiter)
        return next(islice((reader.line_num for row in reader if row), n + 1, None), None)


def _csv_options(path: Path, delimiter: str, columns: list[str]) -> dict[str, Any]:
    with _bytes(path) as lines:
        has_breaks = any(line.count(b'"') % 2 for line in lines)  # a line ends inside quotes
    return {
        "read_options": pa_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False),  # else errors name no row
        "parse_options": pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=has_breaks),
        "convert_options": pa_csv.ConvertOptions(
            include_columns=columns,
            column_types={name: pa.string() for name in columns},
            null_values=list(BLANK),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    }


def _csv_stream(path: Path) -> pa.NativeFile:
    return pa.input_stream(str(path), compression="gzip" if _is_gzip(path) else None)


def _csv_table(path: Path, delimiter: str, columns: list[str]) -> pa.Table:
    try:
        with _csv_stream(path) as stream:
            return pa_csv.read_csv(stream, **_csv_options(path, delimiter, columns))
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise _no_table(path, delimiter, str(error)) from None


def _no_table(path: Path, delimiter: str, problem: str) -> UsageError:
    short = _SHORT_ROW.search(problem)
    if short is None:
        return UsageError(f"{path} is no table: {printable(problem, 200)}")
    row, expected, got, text = short.groups()
    line = _csv_line(path, delimiter, int(row) - 2)
    return UsageError(
        f"{path}:{line}: {got} cells under a header of {expected}: {printable(text, 80)}",
        hint="a value with a comma, a quote or a line break stands in double quotes",
    )


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == _GZIP


# Parquet


def _parquet(path: Path) -> Source:
    names = pq.read_schema(path).names

    def read(columns: Sequence[str]) -> dict[str, Column]:
        heads = _heads(columns, names)
        table = pq.read_table(path, columns=list(heads))
        return _columns_of({head: table[head] for head in heads}, heads)

    def chunks(head: str) -> Iterator[list[Any]]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK_ROWS, columns=[head]):
                yield batch.column(0).to_pylist()

    return Source(path, tuple(names), read, lambda _: None, chunks)


def _heads(columns: Sequence[str], there: Collection[str]) -> dict[str, list[str]]:
    """The columns that are there, and which of the wanted ones lie inside each; itself where it is wanted."""
    heads: dict[str, list[str]] = {}
    for column in columns:
        heads.setdefault(column if column in there else column.partition("/")[0], []).append(column)
    return heads


def _columns_of(table: dict[str, pa.ChunkedArray], heads: dict[str, list[str]]) -> dict[str, Column]:
    out: dict[str, Column] = {}
    for head, names in heads.items():
        values = table[head]
        if head in names:
            out[head] = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
        inside = Inside([name for name in names if name != head])
        for begin in range(0, len(values) if len(names) > (head in names) else 0, CHUNK_ROWS):
            inside.add(values.slice(begin, CHUNK_ROWS).to_pylist())
        out |= inside.whole()
    return out


# JSON


def _json(path: Path) -> Source:
    columns: dict[str, None] = {}
    with _text(path) as text:
        for _, row in islice(_json_rows(path, text), _LOOKED_AT):
            columns.update(dict.fromkeys(row))

    def read(wanted: Sequence[str]) -> dict[str, Column]:
        heads = _heads(wanted, columns)
        plain = {head: Packed() for head, names in heads.items() if head in names}
        inside = {head: Inside([name for name in names if name != head]) for head, names in heads.items()}
        with _text(path) as text:
            rows = (row for _, row in _json_rows(path, text))
            while chunk := list(islice(rows, CHUNK_ROWS)):
                for head in heads:
                    values = [row.get(head) for row in chunk]
                    inside[head].add(values)
                    if head in plain:
                        plain[head].add(values)
        found = {head: packed.whole() for head, packed in plain.items()}
        return {name: column for part in inside.values() for name, column in part.whole().items()} | found

    def line_of(n: int) -> int | None:
        with _text(path) as text:
            return next((line for line, _ in islice(_json_rows(path, text), n, None)), None)

    def chunks(head: str) -> Iterator[list[Any]]:
        with _text(path) as text:
            rows = (row for _, row in _json_rows(path, text))
            while chunk := list(islice(rows, CHUNK_ROWS)):
                yield [row.get(head) for row in chunk]

    return Source(path, tuple(columns), read, line_of, chunks)


def _json_rows(path: Path, text: TextIO) -> Iterator[tuple[int, Row]]:
    for line, value in _json_values(path, text):
        if not isinstance(value, dict):
            raise UsageError(f"{path}:{line}: expected an object, got {printable(repr(value), 60)}")
        for row in rows_of(value):
            yield line, row


def _json_values(path: Path, text: TextIO) -> Iterator[tuple[int, Any]]:
    """JSON lines one by one; anything else (a list, an object over several lines) as a stream."""
    first = next((line for line in text if line.strip()), "")
    text.seek(0)
    try:
        is_lines = first.lstrip().startswith("{") and isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        is_lines = False
    try:
        yield from _json_lines(path) if is_lines else JsonStream(text).items()
    except NotJson as error:
        raise UsageError(f"{path}:{error.line}: not JSON: {error}") from None


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with _bytes(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.isspace():
                try:
                    yield number, orjson.loads(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)
                except orjson.JSONDecodeError as error:
                    raise UsageError(f"{path}:{number}: not JSON: {error}") from None
