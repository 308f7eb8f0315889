"""`--junit`: what a run, a report or a comparison comes to, as JUnit XML."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from harness.cli.options import FILE, Command, write_file
from harness.cli.outputs import makeable
from harness.report.compare.gate import worst
from harness.report.compare.runs import Comparison
from harness.report.model import RunFiles
from harness.report.render.junit import Case, render_junit


def junit_option(command: Command) -> Command:
    """Where to write it."""
    return click.option(
        "--junit",
        "junit_file",
        metavar="FILE",
        type=FILE,
        callback=makeable,
        help="Write JUnit XML: a case a step, a case a finding.",
    )(command)


def write_junit(path: Path | None, runs: Iterable[RunFiles], comparison: Comparison | None = None) -> None:
    """Write the file where one was named.

    Raises:
        UsageError: it cannot be written.
    """
    if path is not None:
        write_file(path, render_junit(runs, [] if comparison is None else _gate(comparison)))


def _gate(comparison: Comparison) -> Iterator[tuple[str, Case]]:
    """A case a run that was held against the first one."""
    for one in comparison.regressions:
        failure = one.words if worst([one]) else ""
        kind = one.change.replace(" ", "_") if failure else ""
        yield "compare", Case(f"{one.label} against {comparison.labels[0]}", failure, kind, said=one.words)
