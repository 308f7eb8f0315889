"""Another tool's file: what it is at a glance, and reading it; whatever is wrong is one line that names it."""

from __future__ import annotations

import json
import math
import mmap
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import UsageError
from harness.base.text import printable
from harness.base.whole import regular

HEAD_BYTES = 1 << 16
_KEY = re.compile(rb'"([A-Za-z_][^"\\]{0,80})"\s*:')
CUT = "it may have been cut short, or still be written: export or copy it again"


@dataclass(frozen=True)
class Source:
    """A file that a user named."""

    path: Path

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return str(self.path)

    @cached_property
    def head(self) -> bytes:
        """Its beginning.

        Raises:
            UsageError: it is missing, empty, a directory, or cannot be read.
        """
        if self.path.is_dir():
            raise UsageError(f"{self.name} is a directory", hint="name the tool's result files themselves")
        try:
            with regular(self.path).open("rb") as file:
                head = file.read(HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
        except OSError as error:
            raise UsageError(f"cannot read {self.name}: {error.strerror or error}") from None
        if not head:
            raise UsageError(f"{self.name} is empty", hint="was the benchmark interrupted before it wrote its result?")
        return head

    @cached_property
    def keys(self) -> frozenset[str]:
        """The keys that stand in its beginning, on whatever level."""
        return frozenset(key.decode(errors="replace") for key in _KEY.findall(self.head))

    @property
    def is_list(self) -> bool:
        """Whether it is one JSON list."""
        return self.head.startswith(b"[")

    @property
    def is_object(self) -> bool:
        """Whether it is a JSON object, or several one after another."""
        return self.head.startswith(b"{")

    def document(self, tool: str) -> Any:
        """The whole of it as one JSON value.

        Raises:
            UsageError: it is none.
        """
        return parsed(self.path.read_bytes(), self, tool)

    def lines(self, tool: str) -> Iterator[tuple[int, Any]]:
        """(number, value) of each line that is not blank.

        Raises:
            UsageError: a line is no JSON.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, parsed(line, self, tool, line=number)

    def mapped(self) -> mmap.mmap:
        """Its bytes, without taking them into memory at once."""
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def bad(self, tool: str, problem: str, *, hint: str | None = None, version: str | None = None) -> UsageError:
        """An error that names the file, the tool, and the version where that is known."""
        seen = f"{tool} {version}" if version else tool
        return UsageError(f"{self.name} ({seen}): {printable(problem)}", hint=hint)


def parsed(data: bytes, source: Source, tool: str, *, line: int | None = None) -> Any:
    """JSON; NaN and infinity, which Python writes and JSON does not know, are unknown.

    Raises:
        UsageError: it is none; names file, tool and place.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as strict:
        try:
            return json.loads(data, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            at = f"line {line}" if line is not None else f"line {strict.lineno}, column {strict.colno}"
            raise source.bad(tool, f"not whole JSON at {at}: {strict.msg}", hint=CUT) from None


@contextmanager
def as_seen(names: str, tool: str) -> Iterator[None]:
    """What a tool's files hold is read as the kinds that they have in those that were seen.

    Raises:
        UsageError: a value is of another kind, or out of every range.
    """
    try:
        yield
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        said = printable(" ".join(str(error).split()))
        raise UsageError(
            f"{names} ({tool}): a value in it is of another kind than in the files that were seen: {said}",
            hint="it may be of a newer version of the tool, or have been changed by hand",
        ) from error


def inside(said: Any, *keys: str) -> Mapping[str, Any]:
    """The object at these keys, one within the other; empty where there is none."""
    for key in keys:
        said = said.get(key) if isinstance(said, dict) else None
    return said if isinstance(said, dict) else {}


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
