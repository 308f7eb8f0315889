"""The members of large JSON objects, one value at a time: a file of some GiB is never in memory as a whole."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.imports.files import CUT, Source, parsed

PIECE_BYTES = 8 << 20
WINDOW_BYTES = 64 << 20  # of the file that are in memory at once
_BLANK = re.compile(rb"[\s,]*")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_COLON = re.compile(rb"\s*:\s*")
_PLAIN = re.compile(rb"[^\s,}\]]+")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_OF_NUMBERS = re.compile(rb'\[[\[\s]*+[^"{\s]')


@dataclass(frozen=True, slots=True)
class Member:
    """A key of an object, and where its value lies in the file."""

    key: str
    data: mmap.mmap
    start: int
    end: int
    source: Source
    tool: str

    def value(self) -> Any:
        """The whole value."""
        return parsed(self.data[self.start : self.end], self.source, self.tool)

    def items(self) -> Iterator[list[Any]]:
        """The items of a list of lists of numbers, some MiB of them at a time."""
        at, end = self.start + 1, self.end - 1
        while at < end:
            cut = self.data.find(b"]", min(at + PIECE_BYTES, end), end)
            until = end if cut < 0 else cut + 1
            piece = self.data[at:until].strip(b", \t\r\n")
            if piece:
                yield parsed(b"[" + piece + b"]", self.source, self.tool)
            _passed(self.data, at, until)
            at = until

    def numbers(self) -> Floats:
        """A list of numbers; null is NaN.

        Raises:
            UsageError: it is none.
        """
        try:
            return np.array(self.value(), dtype=float)
        except (ValueError, TypeError):
            raise self.source.bad(self.tool, f"`{self.key}` is no list of numbers") from None


def objects(source: Source, tool: str) -> Iterator[dict[str, Member]]:
    """The JSON objects of a file, which stand one after another, each as its members.

    Raises:
        UsageError: something else stands there, or the file ends within one; names the member.
    """
    data = source.mapped()
    at = _blank(data, 3 if data[:3] == b"\xef\xbb\xbf" else 0)
    while at < len(data):
        members, at = _object(data, at, source, tool)
        yield members
        at = _blank(data, at)


def _object(data: mmap.mmap, at: int, source: Source, tool: str) -> tuple[dict[str, Member], int]:
    if data[at : at + 1] != b"{":
        raise source.bad(tool, f"byte {at:,} begins no JSON object: {data[at : at + 30]!r}")
    members: dict[str, Member] = {}
    at = _blank(data, at + 1)
    while data[at : at + 1] != b"}":
        last = next(reversed(members), None)
        key = _STRING.match(data, at)
        colon = _COLON.match(data, key.end()) if key is not None else None
        if key is None or colon is None:
            raise source.bad(tool, f"it ends within an object{f', after `{last}`' if last else ''}", hint=CUT)
        name = str(parsed(key.group(), source, tool))
        end = _end_of(data, colon.end())
        if end is None:
            raise source.bad(tool, f"it ends within `{name}`", hint=CUT)
        members[name] = Member(name, data, colon.end(), end, source, tool)
        at = _blank(data, end)
    return members, at + 1


class Cursor:
    """A place in a JSON text that only moves on: large lists are walked one item at a time, in one pass.

    What `names` and `items` come to must be read (`value`), walked or skipped (`skip`) before they go on.
    """

    def __init__(self, source: Source, tool: str) -> None:
        self._data = source.mapped()
        self._source, self._tool = source, tool
        self._at = _blank(self._data, 3 if self._data[:3] == b"\xef\xbb\xbf" else 0)

    @property
    def begins(self) -> bytes:
        """The first byte of what stands here: `{`, `[`, or another."""
        return self._data[self._at : self._at + 1]

    def names(self) -> Iterator[str]:
        """The keys of the object here, each with the cursor on its value."""
        self._enter(b"{")
        name = ""
        while self.begins != b"}":
            key = _STRING.match(self._data, self._at)
            colon = _COLON.match(self._data, key.end()) if key is not None else None
            if key is None or colon is None:
                raise self._cut(name)
            name = str(parsed(key.group(), self._source, self._tool))
            self._at = colon.end()
            yield name
            self._at = _blank(self._data, self._at)
        self._at += 1

    def items(self) -> Iterator[int]:
        """The numbers of the items of the list here, each with the cursor on it."""
        self._enter(b"[")
        number = 0
        while self.begins != b"]":
            if not self.begins:
                raise self._cut(f"item {number:,} of a list")
            yield number
            number += 1
            self._at = _blank(self._data, self._at)
        self._at += 1

    def skip(self) -> slice:
        """Go behind the value here; where it lies."""
        end = _end_of(self._data, self._at)
        if end is None:
            raise self._cut("a value")
        found, self._at = slice(self._at, end), end
        return found

    def value(self) -> Any:
        """The whole value here."""
        return parsed(self._data[self.skip()], self._source, self._tool)

    def _enter(self, mark: bytes) -> None:
        if self.begins != mark:
            shown = self._data[self._at : self._at + 30]
            raise self._source.bad(self._tool, f"{mark.decode()} was expected at byte {self._at:,}, got {shown!r}")
        self._at = _blank(self._data, self._at + 1)

    def _cut(self, within: str) -> UsageError:
        return self._source.bad(self._tool, f"it ends within {within}" if within else "it is cut", hint=CUT)


def _end_of(data: mmap.mmap, at: int) -> int | None:
    """Where a value ends; None: the file ends before."""
    first = data[at : at + 1]
    if first == b'"':
        found = _STRING.match(data, at)
        return found.end() if found is not None else None
    if first not in (b"[", b"{"):
        found = _PLAIN.match(data, at)
        return found.end() if found is not None else None
    if _OF_NUMBERS.match(data, at):
        quote = _quote(data, at)  # of the next key, if all are numbers
        end = data.rfind(b"]", at, len(data) if quote < 0 else quote)
        if end >= 0 and quote >= 0:
            return end + 1
    depth, seen = 0, at
    for token in _TOKEN.finditer(data, at):
        mark = token.group()
        if token.start() - seen > WINDOW_BYTES:
            _passed(data, seen, token.start())
            seen = token.start()
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _quote(data: mmap.mmap, at: int) -> int:
    """Where the next `"` is; -1 without one."""
    while at < len(data):
        found = data.find(b'"', at, at + WINDOW_BYTES)
        if found >= 0:
            return found
        _passed(data, at, at + WINDOW_BYTES)
        at += WINDOW_BYTES
    return -1


def _passed(data: mmap.mmap, start: int, end: int) -> None:
    """These bytes may leave memory; they are read again if they are asked for."""
    first, last = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE, min(end, len(data)) // mmap.PAGESIZE * mmap.PAGESIZE
    if last > first:
        data.madvise(mmap.MADV_DONTNEED, first, last - first)


def _blank(data: mmap.mmap, at: int) -> int:
    found = _BLANK.match(data, at)
    return found.end() if found is not None else at
