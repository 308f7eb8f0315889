"""The raw rows of a prompt file, each with the place that an error names: a CSV, JSON lines, or ShareGPT's JSON."""

import csv
import json
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from harness.base.errors import UsageError
from harness.scenario.json_stream import JsonStream, NotJson, json_problem

MOST_BYTES = 1 << 30
SHOWN_CHARS = 60  # of a value in an error
TEXT_COLUMNS = ("prompt", "text", "messages")
_KINDS: dict[type, str] = {
    list: "a list", dict: "an object", str: "text", int: "a number", float: "a number", bool: "yes or no",
    type(None): "null",
}  # fmt: skip
_JSONL_HINT = (
    'a line is one object: {"prompt": "...", "output_tokens": 100}; other files are `prompts.format: csv` or `sharegpt`'
)
TASK_HINT = 'a line is one task: {"id": "t1", "prompt": "...", "checker": {"kind": "exact"}, "expected": "..."}'
_CSV_HINT = "a text with a comma, a quote or a line break stands in double quotes, and a quote inside is doubled"
_SHAREGPT_HINT = 'a list of objects: [{"conversations": [{"from": "human", "value": "..."}, ...]}, ...]'


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in the file."""

    path: Path
    line: int  # where it begins
    number: int  # of the row, from 1; blank lines are none
    cells: Mapping[str, Any]

    def wrong(self, column: str, expected: str, value: Any, hint: str = "mend or leave out that row") -> UsageError:
        """The error that names this row, a column of it, and what stands there."""
        return UsageError(
            f"{self.path}:{self.line} (row {self.number}): `{column}` must be {expected}, got {shown(value)}", hint=hint
        )


def shown(value: Any) -> str:
    """A value of a file in an error: its beginning is enough."""
    text = repr(value[: SHOWN_CHARS + 1]) if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= SHOWN_CHARS + 2 else f"{text[:SHOWN_CHARS]}..."


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return _KINDS[type(value)]


def raw_rows(path: Path, layout: str) -> Iterator[RawRow]:
    """The rows of a file, one after the other; the file is never in memory as a whole.

    Raises:
        UsageError: no such file, too large, not UTF-8, another layout; names the line.
    """
    key = "prompts.file" if layout == "tasks" else "prompts.path"
    try:
        if not path.is_file():
            raise UsageError(f"`{key}`: no such file: {path}", hint="it is relative to the scenario")
        if path.stat().st_size > MOST_BYTES:
            raise UsageError(f"`{key}`: {path} is larger than {MOST_BYTES >> 30} GiB", hint="take a part of it")
        with path.open(encoding="utf-8-sig", newline="" if layout == "csv" else None) as file:
            yield from _LAYOUTS[layout](path, file)
    except OSError as error:
        raise UsageError(f"`{key}`: cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise _not_utf8(path) from None


def _not_utf8(path: Path) -> UsageError:
    with path.open("rb") as file:
        is_utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        file.seek(0)
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                hint = "it is UTF-16: save it as UTF-8" if is_utf16 else "save it as UTF-8"
                return UsageError(f"{path}:{number}: not UTF-8 text (byte 0x{line[error.start]:02x})", hint=hint)
    return UsageError(f"{path}: not UTF-8 text", hint="save it as UTF-8")


def _csv_rows(path: Path, file: TextIO) -> Iterator[RawRow]:
    least = csv.field_size_limit(MOST_BYTES)
    reader = csv.reader(file, strict=True)
    names: list[str] | None = None
    line, number = 1, 0
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not cells:
                continue
            if names is None:
                names = _header(path, begins, cells)
                continue
            number += 1
            if len(cells) > len(names):
                text = f"{path}:{begins} (row {number}): {len(cells)} cells under a header of {len(names)}"
                raise UsageError(f"{text}: {shown(','.join(cells))}", hint=_CSV_HINT)
            yield RawRow(path, begins, number, dict(zip(names, cells, strict=False)))
    except csv.Error as error:
        raise UsageError(f"{path}:{line}: not CSV from here on: {error}", hint=_CSV_HINT) from None
    finally:
        csv.field_size_limit(least)


def _header(path: Path, line: int, cells: list[str]) -> list[str]:
    names = [name.strip() for name in cells]
    if not set(TEXT_COLUMNS) & set(names):
        columns = shown(", ".join(names))
        raise UsageError(
            f"{path}:{line}: no column `prompt`, only {columns}",
            hint="the first line names the columns, with commas between: `prompt` (or `text`, or `messages`),"
            " and `output_tokens` if you know it",
        )
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}:{line}: two columns `{twice}`", hint="name each column once")
    return names


def _json_lines(path: Path, file: TextIO, hint: str = _JSONL_HINT) -> Iterator[RawRow]:
    number = 0
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        number += 1
        try:
            cells = json.loads(text)
        except (ValueError, RecursionError) as error:
            problem = f"{json_problem(error)}: {shown(text.rstrip())}"
            raise UsageError(f"{path}:{line} (row {number}): not JSON: {problem}", hint=hint) from None
        yield _object(path, line, number, cells, hint)


def _object(path: Path, line: int, number: int, value: Any, hint: str) -> RawRow:
    if not isinstance(value, dict):
        text = f"{path}:{line} (row {number}): {kind_of(value)}, expected an object: {shown(value)}"
        raise UsageError(text, hint=hint)
    return RawRow(path, line, number, value)


def _json_items(path: Path, file: TextIO) -> Iterator[RawRow]:
    try:
        for number, (line, value) in enumerate(JsonStream(file).items(), start=1):
            yield _object(path, line, number, value, _SHAREGPT_HINT)
    except NotJson as error:
        raise UsageError(f"{path}:{error.line}: not JSON: {error}", hint=_SHAREGPT_HINT) from None


def _task_lines(path: Path, file: TextIO) -> Iterator[RawRow]:
    return _json_lines(path, file, TASK_HINT)


_LAYOUTS = {"csv": _csv_rows, "jsonl": _json_lines, "sharegpt": _json_items, "tasks": _task_lines}
