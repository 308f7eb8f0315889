"""The runs below a folder as they were analysed last: nothing is computed again, nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.pipeline.analyse import Analysis, read_written
from harness.rundir.files import MANIFEST


@dataclass(frozen=True, slots=True)
class Unread:
    """A run directory that cannot be read, and why."""

    run_dir: Path
    why: str


Found = Analysis | Unread


def list_runs(places: Sequence[Path]) -> list[Found]:
    """Every run in these folders, or that they are, newest first; those that cannot be read at the end.

    Raises:
        UsageError: no such folder, or none with a run in it.
    """
    found = [_read(run_dir) for run_dir in dict.fromkeys(run for place in places for run in _run_dirs(place))]
    if not found:
        raise UsageError(f"no run under {', '.join(map(str, places))}", hint="`breakeven run` makes one")
    runs = [one for one in found if isinstance(one, Analysis)]
    runs.sort(key=lambda one: one.run.started_at, reverse=True)
    return [*runs, *(one for one in found if isinstance(one, Unread))]


def _run_dirs(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        said = "no folder" if place.exists() else "no such folder"
        raise UsageError(f"{said}: {place}", hint="runs lie under results/ unless --out said else")
    if (place / MANIFEST).is_file():
        yield place
        return
    yield from sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))


def _read(run_dir: Path) -> Found:
    try:
        return read_written(run_dir)
    except UsageError as error:
        return Unread(run_dir, str(error))
