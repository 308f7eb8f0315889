"""`breakeven run --backend all`: one engine after the other on this box, then one comparison."""

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from harness.base.errors import EXIT_FAILED, EXIT_INTERRUPTED, BreakevenError
from harness.engines import ENGINES, engine_kind
from harness.pipeline.analyse import Analysis
from harness.pipeline.measure import Measured, RunOptions
from harness.report import WIDTH, console_comparison, render_comparison
from harness.report.compare.runs import compare_runs

COOL_DOWN_S = 10.0  # between engines: caches written back, clocks and heat settled
NEEDS_CONTAINER = "tgi"

Measure = Callable[[RunOptions], tuple[Measured, Analysis]]


def run_all(options: RunOptions, measure: Measure, complain: Callable[[BreakevenError], None]) -> int:
    """Measure every engine that this machine can have with the same scenario, and compare them.

    An engine that does not come up is said and left out, one that dies is said; the others go on. Ctrl-C ends
    it all. Exit code: 1 when one failed, else the worst of the runs' own.
    """
    done: list[Analysis] = []
    failed = interrupted = False
    names = engines_here()
    for position, name in enumerate(names):
        if position:
            click.echo(f"cooling down for {COOL_DOWN_S:.0f} s", err=True)
            time.sleep(COOL_DOWN_S)
        kind = engine_kind(name)
        click.echo(f"{kind.title} ({position + 1} of {len(names)})", err=True)
        try:
            kind.install(lambda line: click.echo(line, err=True))
            measured, analysis = measure(replace(options, engine=name, backend=kind.backend, urls=()))
            done.append(analysis)
            if measured.failure is not None:
                raise measured.failure
        except BreakevenError as error:
            failed = True
            complain(error)
        else:
            interrupted = measured.interrupted
        if interrupted:
            break
    if len(done) > 1:
        _compare(done, options.out_dir)
    if interrupted:
        return EXIT_INTERRUPTED
    return EXIT_FAILED if failed else max(analysis.exit_code for analysis in done)


def engines_here() -> list[str]:
    """Every engine but TGI where no container runtime answers: it comes in no package."""
    names = sorted(ENGINES)
    if NEEDS_CONTAINER in names and not _has_container_runtime():
        click.echo("TGI is left out: it comes as a container only, and no container runtime answers here", err=True)
        names.remove(NEEDS_CONTAINER)
    return names


def _has_container_runtime() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, timeout=10, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _compare(done: list[Analysis], out_dir: Path) -> None:
    comparison = compare_runs(done)
    html = render_comparison(comparison, out_dir / f"{done[0].run_dir.name}-comparison")
    console = Console(width=WIDTH, highlight=False)
    console.print(console_comparison(comparison, html))
