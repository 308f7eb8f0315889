"""`breakeven decide`: only the money."""

import json
from pathlib import Path

import click

from harness.base.yamlfile import read_yaml, read_yaml_stdin
from harness.cost.breakeven.decision import decide_parsed, parse


@click.command(name="decide")
@click.argument("source", metavar="INPUT")
@click.option("--sensitivity", "wanted", is_flag=True, help="Add what would change the answer (needs a volume).")
@click.option("--two-way", nargs=2, metavar="X Y", help="Add a table of two inputs against each other.")
@click.option("--json", is_flag=True, expose_value=False, help="JSON is what it always prints; accepted for scripts.")
def command(source: str, wanted: bool, two_way: tuple[str, str] | None) -> None:
    """At which monthly volumes a rented box beats an API: decision inputs in, decision JSON out.

    INPUT is a JSON or YAML file, or - for stdin.

    \b
    Examples:
      breakeven decide input.yaml
      breakeven decide - < input.json | jq .verdict
      breakeven decide input.yaml --two-way goodput_requests_per_s usd_per_hour
    \b
    The smallest input:
      workload: {classes: [{input_tokens: 800, output_tokens: 250}]}
      self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
      api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
    """
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
