"""Appends rows to the run directory while the load runs, and reads them meanwhile: buffered, never rewritten."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from harness.rundir.files import ANSWERS, ARRIVALS, CLIENT, RECORDS, TEXTS, TOKENS, part_of, parts

FLUSH_S = 0.5  # a kill -9 loses at most this much, and what sits in requests under way


class LineFile:
    """One append-only JSON-lines file. Rows survive a full disk in memory until a later flush succeeds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._pending = bytearray()

    def add(self, row: dict[str, Any]) -> None:
        """Take one row; it is on disk after the next flush."""
        self._pending += orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)

    def flush(self) -> None:
        """Write what is pending.

        Raises:
            OSError: the disk is full or gone; what was not written stays pending, no row is written twice.
        """
        if not self._pending:
            return
        if self._descriptor is None:
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
        while self._pending:
            written = os.write(self._descriptor, self._pending)
            del self._pending[:written]

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Recorder:
    """The files of one load process."""

    def __init__(self, run_dir: Path, *, keep_arrivals: bool) -> None:
        pid = os.getpid()
        self.records = LineFile(part_of(run_dir, RECORDS, pid))
        self.client = LineFile(part_of(run_dir, CLIENT, pid))
        self.texts = LineFile(part_of(run_dir, TEXTS, pid))
        self.tokens = LineFile(part_of(run_dir, TOKENS, pid))
        self.answers = LineFile(part_of(run_dir, ANSWERS, pid))
        self.arrivals = LineFile(part_of(run_dir, ARRIVALS, pid)) if keep_arrivals else None
        found = (self.answers, self.records, self.client, self.texts, self.tokens, self.arrivals)
        self._files = [file for file in found if file is not None]

    def flush(self) -> None:
        """Write everything that is pending; see LineFile.flush."""
        for file in self._files:
            file.flush()

    def close(self) -> None:
        """Flush and close everything."""
        for file in self._files:
            file.close()


class NewRows:
    """The rows that the load processes append to their `records-<pid>.jsonl`, each given once; of what a rate limit
    refused and was asked again, the last alone.
    """

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self._read: dict[Path, int] = {}  # bytes

    def take(self) -> Iterable[dict[str, Any]]:
        """Rows since the last call; a line that is not whole yet comes with the next."""
        for path in parts(self._run_dir, RECORDS):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read[path] = self._read.get(path, 0) + len(whole)
            yield from (row for row in map(orjson.loads, whole.splitlines()) if not row["retried"])
