"""`breakeven open`: a run's report in a browser."""

import webbrowser
from pathlib import Path

import click

from harness.base.errors import EXIT_FAILED, UsageError
from harness.cli.list_ import RESULTS
from harness.pipeline.analyse import Analysis
from harness.pipeline.listing import list_runs
from harness.report import COMPARISON_HTML, HTML, TREND_HTML
from harness.rundir.files import MANIFEST


@click.command(name="open")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--print", "only_print", is_flag=True, help="Print where the report lies, open nothing.")
def command(run: str | None, only_print: bool) -> int:
    """Open a run's report in the browser.

    RUN is a run's directory, or a row's number in `breakeven list`; by default the newest run under results/.

    \b
    Examples:
      breakeven open
      breakeven open 3
      breakeven open results/20260801T120000Z-chat-vllm-g5.12xlarge --print
    """
    page = _page(_directory(run)).resolve()
    click.echo(page)
    if only_print or webbrowser.open(page.as_uri()):
        return 0
    click.echo("no browser here: copy that file to where there is one, it needs nothing beside it", err=True)
    return EXIT_FAILED


def _directory(run: str | None) -> Path:
    """The directory meant.

    Raises:
        UsageError: no such run, or no such row.
    """
    if run is not None and (Path(run).exists() or not run.isdecimal()):
        return Path(run)
    runs = [one.run_dir for one in list_runs([RESULTS]) if isinstance(one, Analysis)]
    row = 1 if run is None else int(run)
    if not 1 <= row <= len(runs):
        raise UsageError(f"no run {row}: {RESULTS}/ has {len(runs)} that can be read", hint="`breakeven list`")
    return runs[row - 1]


def _page(directory: Path) -> Path:
    if directory.is_file() and directory.suffix == ".html":
        return directory
    if not directory.is_dir():
        raise UsageError(f"no such run directory: {directory}", hint="`breakeven list` shows what there is")
    for name in (HTML, COMPARISON_HTML, TREND_HTML):
        if (directory / name).is_file():
            return directory / name
    if not (directory / MANIFEST).is_file():
        raise UsageError(f"no run in {directory}: it has no {MANIFEST}", hint="`breakeven list` shows what there is")
    raise UsageError(f"{directory} has no {HTML}", hint=f"`breakeven report {directory}` makes it")
