"""`breakeven decide`: only the money."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from harness.cost.decision import decide_parsed
from harness.cost.inputs import parse
from harness.yamlfile import parse_yaml, read_yaml


@click.command(name="decide")
@click.argument("source", metavar="INPUT")
@click.option(
    "--json", is_flag=True, expose_value=False, help="JSON is what it always prints; accepted for scripts."
)
def command(source: str) -> None:
    """At which monthly volumes a rented box beats an API: decision inputs in, decision JSON out.

    INPUT is a JSON or YAML file, or - for stdin.

    \b
    Examples:
      breakeven decide input.yaml
      breakeven decide - < input.json | jq .verdict
    \b
    The smallest input:
      workload: {classes: [{input_tokens: 800, output_tokens: 250}]}
      self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
      api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
    """
    if source == "-":
        where, data = "stdin", parse_yaml(sys.stdin.read(), where="stdin")
    else:
        where, data = source, read_yaml(Path(source), what="decision input")
    click.echo(json.dumps(decide_parsed(parse(data, where=where)), indent=2, allow_nan=False))
