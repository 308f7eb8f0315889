"""Run directories as they are named on the command line, `results/*` included."""

from collections.abc import Sequence
from pathlib import Path

import click

from harness.base.errors import UsageError
from harness.report import COMPARISON_HTML, COMPARISON_MARKDOWN
from harness.rundir.files import MANIFEST


def without_comparisons(paths: Sequence[Path]) -> list[Path]:
    """The paths that are no comparison; of each that is one (`run --backend all` leaves it) a line on stderr.

    Raises:
        UsageError: nothing is left.
    """
    runs = []
    for path in paths:
        if not (path / MANIFEST).exists() and any(
            (path / name).is_file() for name in (COMPARISON_HTML, COMPARISON_MARKDOWN)
        ):
            click.echo(f"{path} is a comparison, no run: left out", err=True)
        else:
            runs.append(path)
    if not runs:
        raise UsageError(f"{paths[0]} is a comparison, no run", hint="name the runs that it compares")
    return runs
