"""Bringing results home: whole, and the same bytes, before the box goes."""

import hashlib
import shutil
import time
from pathlib import Path

from harness.rent.box import BoxLostError, RentError
from harness.rent.job import Patience
from harness.rent.ledger import Book
from harness.rent.line import Line

_CHUNK = 2**20
RETRY_S = 2.0


class Homeward:
    """The results of one measurement on their way from the box."""

    def __init__(self, line: Line, there: str, folder: Path, name: str) -> None:
        self._line, self._there = line, there
        self._place, self._part = folder / f".{name}", folder / f".{name}.part"

    def copy_so_far(self) -> None:
        """What there is while it still runs; the copy before stays until this one is here."""
        half = self._part.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        self._line.fetch(self._there, half)
        shutil.rmtree(self._part, ignore_errors=True)
        half.rename(self._part)

    def copied(self) -> list[Path]:
        """The runs as they were copied last."""
        return _runs(self._part)

    def bring(self, *, until_s: float, patience: Patience) -> list[Path]:
        """Copy everything home and hold it against the box's own checksums; the runs in it.

        Tries again until `until_s` (wall clock): a network that is away comes back, or the budget ends.

        Raises:
            RentError: it is not home, or not whole.
        """
        half = self._place.with_suffix(".half")
        while True:
            try:
                wanted = self._line.listing(self._there)
                shutil.rmtree(half, ignore_errors=True)
                self._line.fetch(self._there, half)
                got = digests(half)
                broken = [name for name, digest in wanted.items() if got.get(name) != digest]
                if not broken:
                    break
                raise RentError(f"{len(broken)} of {len(wanted)} files came home broken: {broken[0]}")
            except (OSError, RentError) as error:
                is_over = time.time() + RETRY_S > until_s
                if is_over or (isinstance(error, BoxLostError) and patience.is_gone()):
                    kind = BoxLostError if isinstance(error, BoxLostError) else RentError
                    raise kind(f"the results could not be brought home: {error}") from None
                patience.say(f"not home yet ({error}): trying again")
                time.sleep(RETRY_S)
        shutil.rmtree(self._place, ignore_errors=True)
        half.rename(self._place)
        shutil.rmtree(self._part, ignore_errors=True)
        return _runs(self._place)


def keep_runs(runs: list[Path], book: Book) -> list[Path]:
    """Put the runs that came home beside rent.json."""
    kept = [run.rename(book.folder / run.name) for run in runs]
    for place in {run.parent for run in runs}:
        shutil.rmtree(place, ignore_errors=True)
    return kept


def _runs(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder by its relative path, with its SHA-256."""
    return {str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
