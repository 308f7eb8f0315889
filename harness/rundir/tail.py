"""The rows of a run that is still going on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from harness.rundir.files import RECORDS, parts


class NewRows:
    """The rows that the load processes append to their `records-<pid>.jsonl`, each given once."""

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
            yield from map(orjson.loads, whole.splitlines())
