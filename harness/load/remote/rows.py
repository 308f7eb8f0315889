"""Rows that a worker elsewhere has written, as they come in: whole lines, each a row of its file's kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter

from harness.load.lines import Malformed, typed
from harness.load.protocol import Sample
from harness.load.remote.messages import Got, Part
from harness.rundir.files import ARRIVALS, CLIENT, RECORDS, SERVER, TEXTS, TOKENS
from harness.rundir.records import RequestRecord

_LONGEST_LINE = 64 << 20


@dataclass(frozen=True, slots=True)
class _Text:
    request_id: str
    text: str


@dataclass(frozen=True, slots=True)
class _Tokens:
    request_id: str
    output_tokens: int


@dataclass(frozen=True, slots=True)
class _Arrivals:
    request_id: str
    arrival_us: list[int]


@dataclass(frozen=True, slots=True)
class _Scrape:
    t_s: float
    url: str
    up: bool
    lines: list[str]


KINDS: dict[str, TypeAdapter[Any]] = {
    RECORDS: TypeAdapter(RequestRecord),
    CLIENT: TypeAdapter(Sample),
    TEXTS: TypeAdapter(_Text),
    TOKENS: TypeAdapter(_Tokens),
    ARRIVALS: TypeAdapter(_Arrivals),
    SERVER: TypeAdapter(_Scrape),
}


class RowFile:
    """One file of a worker's, rebuilt here. A line that is no row costs only itself."""

    def __init__(self, path: Path, stem: str) -> None:
        self.damaged: Malformed | None = None  # the first line that was no row
        self._path = path
        self._kind = KINDS[stem]
        self._taken = 0  # bytes of the worker's file
        self._rest = b""  # of a line whose end has not come

    def take(self, part: Part) -> Got:
        """Add a piece; the answer to it. A piece that came twice changes nothing.

        Raises:
            OSError: the disk is full or gone; the piece can be taken again.
        """
        if part.at == self._taken:
            *lines, rest = (self._rest + part.data).split(b"\n")
            self._write(b"".join(self._row(line) for line in lines))
            self._rest = rest if len(rest) <= _LONGEST_LINE else b""
            self._taken += len(part.data)
        return Got(part.name, self._taken)

    def _row(self, line: bytes) -> bytes:
        try:
            return orjson.dumps(typed(self._kind, line), option=orjson.OPT_APPEND_NEWLINE)
        except Malformed as error:
            self.damaged = self.damaged or error
            return b""

    def _write(self, rows: bytes) -> None:
        if not rows:
            return
        with self._path.open("ab", buffering=0) as file:
            had = file.tell()
            try:
                while rows:
                    rows = rows[file.write(rows) :]
            except OSError:
                file.truncate(had)
                raise
