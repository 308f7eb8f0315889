"""`breakeven list`: the runs of a folder as a table."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.options import PATH
from harness.cli.report import page_console
from harness.pipeline.analyse import Analysis
from harness.pipeline.listing import Unread, list_runs
from harness.report.listing import pays_words, runs_table, trust_cell
from harness.report.render.console import console_table

RESULTS = Path("results")


@click.command(name="list")
@click.argument("places", metavar="[DIR]...", nargs=-1, type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the runs as JSON.")
def command(places: Sequence[Path], as_json: bool) -> int:
    """The runs of a folder: what each measured, what it answered, whether to trust it.

    DIR is a folder with runs, or a run; by default results/. Newest first, as each was analysed last; nothing is
    computed again. `breakeven open` takes a row's number; --json has each run's directory.

    \b
    Examples:
      breakeven list
      breakeven list results/kept /mnt/ci/results
      breakeven list --json | jq -r '.[] | select(.trust == "yes") | .run_dir'
    """
    places = tuple(places) or (RESULTS,)
    found = list_runs(places)
    runs = [one for one in found if isinstance(one, Analysis)]
    if as_json:
        click.echo(json.dumps([_as_dict(run) for run in runs], indent=2))
    elif runs:
        page_console().print(console_table(runs_table(runs)))
    for one in found:
        if isinstance(one, Unread):
            click.echo(f"warning: left out: {one.why}", err=True)
    return 0


def _as_dict(run: Analysis) -> dict[str, object]:
    goodput = run.metrics.goodput
    return {
        "run_dir": str(run.run_dir),
        "started_at": run.run.started_at,
        "scenario": run.run.scenario.get("name"),
        "engine": run.engine,
        "model": run.run.model,
        "instance": run.instance or None,
        "goodput": None if goodput is None else goodput.to_dict(),
        "pays": pays_words(run.decision),
        "trust": trust_cell(run).text,
    }
