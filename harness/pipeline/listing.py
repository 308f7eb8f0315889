"""The runs below a folder as they were analysed last: nothing is computed again, nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.pipeline.analyse import Analysis
from harness.pipeline.reread import read_decision, read_metrics
from harness.rundir.files import MANIFEST, read_manifest
from harness.rundir.results import Metrics


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
        raise UsageError(f"no such folder: {place}", hint="runs lie under results/ unless --out said else")
    if (place / MANIFEST).is_file():
        yield place
        return
    yield from sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))


def _read(run_dir: Path) -> Found:
    try:
        manifest = read_manifest(run_dir)
        has_metrics, is_priced = ((run_dir / name).exists() for name in ("metrics.json", "decision.json"))
        metrics = read_metrics(run_dir) if has_metrics else Metrics(steps=())
        return Analysis(run_dir, manifest, metrics, read_decision(run_dir) if is_priced else None)
    except UsageError as error:
        return Unread(run_dir, str(error))
