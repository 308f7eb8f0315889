"""`breakeven compare`: runs beside each other, and whether a later one got worse."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness.base.errors import EXIT_DO_NOT_TRUST, EXIT_DONE, EXIT_FAILED, UsageError
from harness.cli.junit import junit_option, write_junit
from harness.cli.options import PATH, demand_again_options, people_of
from harness.cli.outputs import makeable
from harness.cli.report import page_console
from harness.cli.run_dirs import check_each_once, runs_in, without_comparisons
from harness.pipeline.analyse import priced_for, read_analysis, read_written
from harness.report import console_comparison, render_comparison, render_trend
from harness.report.compare.gate import worst
from harness.report.compare.repeats import as_one
from harness.report.compare.runs import Comparison, compare_runs
from harness.report.model import RunFiles


def _share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """`5%` or `0.05` as a share."""
    if value is None:
        return None
    text = value.strip()
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no share; write 5% or 0.05", ctx, param) from None
    if not 0 <= share < 1:
        raise click.BadParameter(f"{value!r} must be from 0% to below 100%", ctx, param)
    return share


@click.command(name="compare")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option("--fail-over", callback=_share, metavar="5%", help="End with 1 when a run lost more goodput than this.")
@click.option("--trend", "is_trend", is_flag=True, help="Many runs over time: which changes exceed their intervals?")
@click.option(
    "--out",
    "out_dir",
    metavar="DIR",
    type=PATH,
    callback=makeable,
    help="Write comparison.html and .md there, or trend.*.",
)
@demand_again_options
@junit_option
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
def command(
    runs: Sequence[Path],
    fail_over: float | None,
    is_trend: bool,
    out_dir: Path | None,
    demand_file: Path | None,
    fte: float | None,
    fte_usd_per_year: float | None,
    junit_file: Path | None,
    as_json: bool,
) -> int:
    """Put two or more runs beside each other; the first is what the others are compared with.

    Two answers: as deployed (what each served, however it was set up), and at equal work: there a winner is named
    only when the work was equal, nothing failed a check, and the intervals of the goodputs do not overlap. A RUN is a
    run's directory, or a folder with the repeats of one (`run --repeat 3 --out DIR`), which count as their mean. With
    --fail-over a run is worse when the whole interval of its loss against the first lies above that share. Runs with
    the same seeds are taken pair by pair. Each is priced as it was reported last, or all for one --demand.

    \b
    Exit codes: 0 compared, 1 a run is worse (--fail-over),
    3 a run or the comparison is not to be trusted.
    \b
    Examples:
      breakeven compare results/*-chat-vllm-* results/*-chat-llama_server-*
      breakeven compare repeats-before/ repeats-today/ --fail-over 5% --junit breakeven.xml
      breakeven compare A B --demand support-agent
      breakeven compare --trend results/*-chat-* --out results/trend
      breakeven compare A B --out results/comparison --json | jq '.outcomes[].words'
    """
    runs = without_comparisons(runs)
    if len(runs) < 2:
        raise UsageError(
            f"compare needs at least two runs, got {len(runs)}", hint="`breakeven report` shows a single one"
        )
    check_each_once(runs)
    people = people_of(fte, fte_usd_per_year)
    if is_trend:
        if (fail_over, junit_file, demand_file, people) != (None,) * 4 or as_json:
            raise UsageError("--trend goes with --out alone", hint="--fail-over is of a baseline and what came after")
        page_console().print(render_trend([read_written(run) for run in runs], out_dir))
        return EXIT_DONE

    def read(run: Path) -> RunFiles:
        analysis = read_analysis(run)
        return analysis if demand_file is None and people is None else priced_for(analysis, demand_file, people)

    comparison = compare_runs([_side(run, read) for run in runs], fail_over)
    write_junit(junit_file, comparison.runs, comparison)
    html = render_comparison(comparison, out_dir) if out_dir is not None else None
    if as_json:
        click.echo(json.dumps(_as_dict(comparison), indent=2))
    else:
        page_console().print(console_comparison(comparison, html))
    return _exit_code(comparison)


def _side(place: Path, read: Callable[[Path], RunFiles]) -> RunFiles:
    """A run, or the repeats in a folder as one.

    Raises:
        UsageError: neither, or repeats of different measurements.
    """
    inside = runs_in(place)
    return as_one([read(run) for run in inside], place) if inside not in ([], [place]) else read(place)


def _as_dict(comparison: Comparison) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run_dir": str(run.run_dir),
                **dataclasses.asdict(standing),
                "usd_per_1000_requests": standing.usd_at(standing.goodput),
            }
            for run, standing in zip(comparison.runs, comparison.standings, strict=True)
        ],
        "differences": [dataclasses.asdict(difference) for difference in comparison.differences],
        "as_deployed": comparison.deployed or None,
        "outcomes": [dataclasses.asdict(outcome) for outcome in comparison.outcomes],
        "regressions": [dataclasses.asdict(regression) for regression in comparison.regressions],
    }


def _exit_code(comparison: Comparison) -> int:
    found = worst(comparison.regressions)
    if found == "worse":
        return EXIT_FAILED
    untrusted = any(standing.errors for standing in comparison.standings)
    return EXIT_DO_NOT_TRUST if untrusted or found is not None else EXIT_DONE
