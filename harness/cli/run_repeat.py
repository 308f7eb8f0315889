"""`breakeven run --repeat N`: the same again, each time a run directory of its own, then one pooled figure."""

import json
import time
from collections.abc import Callable

import click

from harness.base.errors import EXIT_INTERRUPTED
from harness.cli import complain
from harness.cli.pooled import print_pooled
from harness.pipeline.analyse import Analysis
from harness.pipeline.options import Measured
from harness.report.compare.pool import pool

COOL_DOWN_S = 5.0  # between runs: the last one's requests are gone, caches and heat settle


def run_repeat(times: int, measure: Callable[[int], tuple[Measured, Analysis]], *, as_json: bool) -> int:
    """Measure `times` times (`measure` is told which, from 0) and print the pooled figures. Ctrl-C, or a run that
    fails, ends it without any.

    Exit code: the failed run's, 130, or the worst of the runs' own.

    Raises:
        UsageError: the runs turned out not to have measured the same; each is kept.
    """
    done: list[Analysis] = []
    for position in range(times):
        if position:
            click.echo(f"cooling down for {COOL_DOWN_S:.0f} s", err=True)
            time.sleep(COOL_DOWN_S)
        click.echo(f"run {position + 1} of {times}", err=True)
        measured, analysis = measure(position)
        if measured.failure is not None:
            complain(measured.failure)
            return measured.failure.exit_code
        if measured.interrupted:
            return EXIT_INTERRUPTED
        done.append(analysis)
    pooled = pool(done)
    if as_json:
        click.echo(json.dumps(pooled))
    else:
        click.echo()
        print_pooled(pooled)
    return max(analysis.exit_code for analysis in done)
