"""`breakeven import`: what another load tool measured becomes a run directory, and gets the money."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from harness.base.errors import UsageError
from harness.cli.demand_asked import demand_asked
from harness.cli.options import BOXES, PATH, demand_options, weights_options
from harness.cli.outputs import makeable
from harness.cli.report import as_dict, print_analyses
from harness.cost.own_prices import load_prices
from harness.imports.tools import TOOLS, Tool, read_results
from harness.imports.write import Beside, run_directory, runs_of
from harness.pipeline.analyse import Analysis, analyse_run
from harness.prices.catalog import find_instance, quote_for, resolve_api
from harness.prices.record import PURCHASES
from harness.rundir.manifest import with_boxes
from harness.scenario import SLO_PRESETS


def _seen(key: str, tool: Tool) -> str:
    documented = f"{tool.documented} read from documentation, no real file seen" if tool.documented else ""
    real = f"{tool.seen} seen as real files" if tool.seen else ""
    return f"  {key:15}{tool.name}: " + f";\n{'':17}".join(filter(None, (real, documented)))


def _slo(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> dict[str, Any]:
    """A preset's name, or limits as KEY=SECONDS; what they may be is the scenario's to say."""
    out: dict[str, Any] = {}
    for one in given:
        key, is_limit, value = one.partition("=")
        if not is_limit:
            out["preset"] = one
            continue
        try:
            out[key] = float(value)
        except ValueError:
            raise click.BadParameter(f"{one!r}: {value!r} is no number", ctx, param) from None
    return out


@click.command(
    name="import",
    epilog="\b\nTools, and which of their versions:\n" + "\n".join(_seen(*item) for item in TOOLS.items()),
)
@click.argument("result_files", metavar="FILE...", nargs=-1, required=True, type=PATH)
@click.option("--from", "tool", type=click.Choice(list(TOOLS)), help="Whose files they are.  [default: they tell]")
@click.option("--instance", metavar="ID", help="What the box was, e.g. g5.12xlarge; `breakeven prices list` shows all.")
@click.option("--purchase", type=click.Choice(PURCHASES), default="on_demand", help="How the box is paid for.")
@click.option("--usd-per-hour", type=click.FloatRange(min=0, min_open=True), help="Your own price of the box.")
@click.option("--replicas-per-instance", type=BOXES, help="An instance has N equal replicas, of which one was driven.")
@click.option("--boxes", type=BOXES, help="So many instances are what was driven.")
@click.option("--api", "apis", multiple=True, metavar="PROVIDER:MODEL", help="API to compare with; may be repeated.")
@demand_options
@click.option("--prices", "prices_file", type=PATH, help="Your own prices (YAML); they win over the catalogue's.")
@click.option(
    "--slo",
    multiple=True,
    callback=_slo,
    metavar="PRESET|KEY=SECONDS",
    help=f"Limits to judge by: {', '.join(SLO_PRESETS)}, ttft_p95_s=0.5; may be repeated.  [default: chat]",
)
@click.option("--model", metavar="NAME", help="The model, where the file does not tell.")
@weights_options
@click.option(
    "--out", "out_dir", type=PATH, callback=makeable, default=Path("results"), help="Parent of the run's directory."
)
@click.option("--json", "as_json", is_flag=True, help="Print run, metrics and decision as JSON.")
def command(result_files: Sequence[Path], tool: str | None, as_json: bool, **given: Any) -> int:
    """Make a run of what another load tool measured, and say what that costs and when it pays.

    FILEs are one measurement's, of one tool; which, and of which version, they tell themselves. The run directory is as
    one of `breakeven run`: `report`, `compare` and `schema` read it. What a file does not tell stays unknown; where a
    tool's definitions are not ours, the report says so. Files without single requests give the tool's own percentiles,
    marked, and no goodput.

    \b
    Examples:
      breakeven import vllm-bench.json --instance g5.12xlarge
      breakeven import result.json --instance g5.12xlarge --api openai:gpt-4.1 --demand support-agent
      breakeven import result.json --slo ttft_p95_s=0.5 --slo tpot_p95_s=0.05 --usd-per-hour 2.5
      breakeven import users-8.json users-16.json users-32.json --from vllm
    """
    beside = _beside(given)
    told = read_results(result_files, tool)
    for doubt in told.doubts:
        click.echo(f"warning: {doubt}", err=True)
    done = []
    for parts in runs_of(told):
        with run_directory(given["out_dir"], told, parts, result_files, beside) as place:
            done.append(analyse_run(place, prices_file=given["prices_file"]))
    _print(done, as_json=as_json)
    return max(analysis.exit_code for analysis in done)


def _print(done: Sequence[Analysis], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([as_dict(analysis) for analysis in done], indent=2))
        return
    print_analyses(done)
    if all(analysis.decision is None for analysis in done):
        click.echo("nothing was priced: say what the box was with --instance ID or --usd-per-hour", err=True)


def _beside(given: Mapping[str, Any]) -> Beside:
    """What the user says beside the files, checked before any is read.

    Raises:
        UsageError: an instance, API, demand or price that cannot be used.
    """
    demand, people = demand_asked(given)
    prices = load_prices(given["prices_file"])
    for reference in given["apis"]:
        resolve_api(reference, prices)
    usd_per_hour = given["usd_per_hour"]
    if usd_per_hour is not None and not math.isfinite(usd_per_hour):
        raise UsageError(f"--usd-per-hour must be a finite number, got {usd_per_hour}")
    if given["instance"] is not None and usd_per_hour is None:
        quote_for(find_instance(given["instance"], prices), given["purchase"])
    instance = {
        "id": given["instance"],
        "purchase": given["purchase"],
        "usd_per_hour": usd_per_hour,
        "replicas": 1,
        "replicas_driven": given["boxes"] or 1,
        "boxes": None,
    }
    return Beside(
        instance=with_boxes(instance, given["boxes"], given["replicas_per_instance"]),
        arms=given["apis"],
        demand=demand,
        people=people,
        slo=given["slo"],
        model=given["model"],
        weights=given["weights"],
        quantization=given["quantization"],
    )
