"""`breakeven decide`: only the money."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from harness.base.errors import EXIT_DO_NOT_TRUST, EXIT_DONE, UsageError
from harness.base.yamlfile import read_yaml, read_yaml_stdin
from harness.cli.options import BUNDLED_DEMANDS, PATH
from harness.cli.outputs import makeable
from harness.cost.breakeven.decision import decide_parsed, parse
from harness.prices.record import PURCHASES
from harness.rundir.manifest import LONGEST_MODEL

_RATE = click.FloatRange(min=0, min_open=True)


@click.command(name="decide")
@click.argument("source", metavar="[INPUT]", required=False)
@click.option("--sensitivity", "wanted", is_flag=True, help="Of INPUT: what would change the answer (needs a volume).")
@click.option("--two-way", nargs=2, metavar="X Y", help="Of INPUT: a table of two inputs against each other.")
@click.option(
    "--demand",
    metavar="FILE|NAME",
    help=f"Price this monthly demand without a run: your own file, or {', '.join(BUNDLED_DEMANDS)}.",
)
@click.option("--goodput", type=_RATE, metavar="REQ/S", help="What one instance serves, requests/s.")
@click.option("--tokens-per-s", type=_RATE, metavar="N", help="The same in output tokens/s of the demand's requests.")
@click.option("--total-tokens-per-s", type=_RATE, metavar="N", help="The same in input and output tokens/s.")
@click.option("--low", type=_RATE, metavar="N", help="The least it surely serves, in the same unit.")
@click.option("--high", type=_RATE, metavar="N", help="The most.")
@click.option("--instance", metavar="ID", help="What the box is, e.g. g5.12xlarge; `breakeven prices list` shows all.")
@click.option("--purchase", type=click.Choice(PURCHASES), default="on_demand", help="How the box is paid for.")
@click.option("--usd-per-hour", type=_RATE, help="Your own price of the box.")
@click.option("--model", metavar="NAME", help="The weights it serves: who else hosts them is an arm.")
@click.option("--api", "apis", metavar="PROVIDER:MODEL", multiple=True, help="API to compare with; repeatable.")
@click.option("--prices", "prices_file", metavar="FILE", type=PATH, help="Your own prices; they win.")
@click.option(
    "--out", "out_dir", type=PATH, callback=makeable, default=Path("results"), help="Parent of the report's directory."
)
@click.option("--json", "as_json", is_flag=True, help="With --demand: the decision as JSON. INPUT's answer always is.")
def command(source: str | None, demand: str | None, **given: Any) -> int:
    """At which monthly volumes a rented box beats an API.

    Of INPUT, a JSON or YAML file or - for stdin: decision inputs in, decision JSON out. With --demand instead: a
    demand file and what the box serves, with all that the report of a run has, written to --out.

    \b
    Examples:
      breakeven decide input.yaml
      breakeven decide - < input.json | jq .verdict
      breakeven decide input.yaml --two-way goodput_requests_per_s usd_per_hour
      breakeven decide --demand support-agent --goodput 0.6 --instance g5.12xlarge
      breakeven decide --demand mine.yaml --tokens-per-s 150 --low 120 --high 170 --usd-per-hour 2.5
    \b
    The smallest input:
      workload: {classes: [{input_tokens: 800, output_tokens: 250}]}
      self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
      api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
    """
    if (source is None) == (demand is None):
        raise UsageError(
            "nothing to decide on" if source is None else "INPUT and --demand exclude each other",
            hint="an input file, or --demand FILE --goodput N --instance ID",
        )
    return _price(demand, given) if demand is not None else _decide(source or "", given)


_RATES = ("goodput", "tokens_per_s", "total_tokens_per_s", "low", "high")
_OF_DEMAND = (*_RATES, "instance", "usd_per_hour", "model", "apis", "prices_file")
_OF_INPUT = ("wanted", "two_way")
_NAMES = {"apis": "api", "prices_file": "prices", "wanted": "sensitivity"}


def _refuse(given: dict[str, Any], names: tuple[str, ...], without: str) -> None:
    for name in names:
        if given[name]:
            raise UsageError(f"--{_NAMES.get(name, name).replace('_', '-')} goes with {without}")


def _decide(source: str, given: dict[str, Any]) -> int:
    _refuse(given, _OF_DEMAND, "--demand, not with an input file")
    wanted, two_way = given["wanted"], given["two_way"]
    if source == "-":
        where, data = "stdin", read_yaml_stdin()
    else:
        where, data = source, read_yaml(Path(source), what="decision input")
    inputs = parse(data, where=where)
    out = decide_parsed(inputs).to_dict()
    if wanted or two_way is not None:
        from harness.cost.whatif.sensitivity import sensitivity, two_way_table  # numpy: only who asks waits for it

        if wanted:
            moved = sensitivity(inputs)
            out["sensitivity"] = moved.to_dict() if moved is not None else None
        if two_way is not None:
            out["two_way"] = two_way_table(inputs, *two_way).to_dict()
    click.echo(json.dumps(out, indent=2, allow_nan=False))
    return EXIT_DONE


def _price(demand: str, given: dict[str, Any]) -> int:
    _refuse(given, _OF_INPUT, "an input file; the report of --demand has it")
    for name in (*_RATES, "usd_per_hour"):
        if given[name] is not None and not math.isfinite(given[name]):
            raise UsageError(f"--{name.replace('_', '-')} must be a finite number, got {given[name]}")
    if len(given["model"] or "") > LONGEST_MODEL:
        raise UsageError(f"--model has {len(given['model']):,} characters, at most {LONGEST_MODEL:,}")
    from harness.cli.report import page_console  # with pandas: only who asks waits for it
    from harness.cost.box.given import GivenRate
    from harness.demand.demand import load_demand
    from harness.pipeline.price import price_given

    rate = GivenRate(given["goodput"], given["tokens_per_s"], given["total_tokens_per_s"], given["low"], given["high"])
    priced = price_given(
        {"id": given["instance"], "purchase": given["purchase"], "usd_per_hour": given["usd_per_hour"]},
        rate,
        load_demand(Path(demand)),
        given["apis"],
        model=given["model"],
        prices_file=given["prices_file"],
        out_dir=given["out_dir"],
        command=("breakeven", *sys.argv[1:]),
    )
    if given["as_json"]:
        click.echo(json.dumps(priced.decision.to_dict(), indent=2))
    else:
        page_console().print(priced.shown)
    return EXIT_DO_NOT_TRUST if any(check.level == "error" for check in priced.decision.checks) else EXIT_DONE
