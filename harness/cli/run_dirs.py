"""Run directories as they are named on the command line, `results/*` included."""

from collections.abc import Sequence
from filecmp import cmp
from pathlib import Path

import click

from harness.base.errors import UsageError
from harness.report import COMPARISON_HTML, COMPARISON_MARKDOWN, TREND_HTML
from harness.rundir.files import MANIFEST, RECORDS
from harness.rundir.tool_summary import TOOL_SUMMARY

_MEASURED = (f"{RECORDS}.parquet", TOOL_SUMMARY)
_NO_RUNS = {
    COMPARISON_HTML: "a comparison",  # `run --backend all` leaves it
    COMPARISON_MARKDOWN: "a comparison",
    TREND_HTML: "a trend",
    "decision.json": "a decision on a goodput that was given",
}


def without_comparisons(paths: Sequence[Path]) -> list[Path]:
    """The paths that are no comparison and no decision without a run; of each that is one a line on stderr.

    Raises:
        UsageError: nothing is left.
    """
    runs = []
    for path in paths:
        kind = _no_run(path)
        if kind is not None:
            click.echo(f"{path} is {kind}, no run: left out", err=True)
        else:
            runs.append(path)
    if not runs:
        raise UsageError(f"{paths[0]} is {_no_run(paths[0])}, no run", hint="name a run's directory")
    return runs


def check_each_once(runs: Sequence[Path]) -> None:
    """One run under two names, or in a folder of repeats and by itself, would be held against itself.

    Raises:
        UsageError: a run that is there twice.
    """
    seen: list[Path] = []
    for run in (inner for path in runs for inner in runs_in(path)):
        before = next((one for one in seen if _is_same(one, run)), None)
        if before is not None:
            same = "is given twice" if before == run else f"and {run} are the same run"
            raise UsageError(f"{before} {same}", hint="each run once: it would only be compared with itself")
        seen.append(run)


def _is_same(run: Path, other: Path) -> bool:
    """By its directory, or copied: what it was and what it measured are the same to the last byte."""
    if (run / MANIFEST).samefile(other / MANIFEST):
        return True
    return cmp(run / MANIFEST, other / MANIFEST, shallow=False) and any(
        (run / name).is_file() and (other / name).is_file() and cmp(run / name, other / name, shallow=False)
        for name in _MEASURED
    )


def runs_in(place: Path) -> list[Path]:
    """A run's directory, or those of the runs in a folder; empty where there is none."""
    return [place] if (place / MANIFEST).exists() else sorted(path.parent for path in place.glob(f"*/{MANIFEST}"))


def _no_run(path: Path) -> str | None:
    """What a directory is that is no run's; None: it may be a run."""
    if (path / MANIFEST).exists():
        return None
    return next((kind for name, kind in _NO_RUNS.items() if (path / name).is_file()), None)
