"""`breakeven run --backend all`: one engine after the other on this box, then one comparison."""

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from harness.base.errors import EXIT_FAILED, EXIT_INTERRUPTED, BreakevenError
from harness.cli import complain
from harness.cli.report import page_console
from harness.engines import ENGINES, engine_kind
from harness.pipeline.analyse import Analysis, set_beside
from harness.pipeline.options import Measured, RunOptions
from harness.report import console_comparison, render_comparison
from harness.report.compare.runs import compare_runs

COOL_DOWN_S = 10.0  # between engines: caches written back, clocks and heat settled
NEEDS_CONTAINER = "tgi"


def run_all(options: RunOptions, measure: Callable[[RunOptions], tuple[Measured, Analysis]]) -> int:
    """Measure every engine that this machine can have with the same scenario, and compare them.

    An engine that does not come up is said and left out, one that dies is said; the others go on. Ctrl-C ends
    it all. Exit code: 1 when one failed, else the worst of the runs' own.
    """
    done: list[Analysis] = []
    failed = False
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
            if measured.interrupted:
                _compare(done, options.out_dir)
                return EXIT_INTERRUPTED
    _compare(done, options.out_dir)
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
    if len(done) < 2:
        return
    set_beside(done)
    comparison = compare_runs(done)
    html = render_comparison(comparison, out_dir / f"{done[0].run_dir.name}-comparison")
    page_console().print(console_comparison(comparison, html))
