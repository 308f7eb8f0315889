"""`breakeven schema`: the JSON Schema of every file that Breakeven reads or writes."""

import json
from typing import Any

import click
from pydantic import TypeAdapter

from harness.demand.demand import Demand
from harness.prices.price_file import PriceFile
from harness.rundir.decide import DecideInput
from harness.rundir.decision import Decision
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics
from harness.rundir.search import Search
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

# name -> what it is of, and the type that the file is read into
SCHEMAS: dict[str, tuple[str, Any]] = {
    "scenario": ("a load scenario, scenarios/*.yaml", Scenario),
    "demand": ("what a month asks for, scenarios/demand/*.yaml", Demand),
    "prices": ("a file for --prices", PriceFile),
    "decide": ("the input of `breakeven decide`", DecideInput),
    "run": ("run.json of a run: what was driven, by whom, with what", RunManifest),
    "metrics": ("metrics.json of a run: what was measured", Metrics),
    "steps": ("a line of steps.jsonl of a run, once all that is said of a step is put together", RanStep),
    "search": ("search.json of a run: every probe, and why it ended", Search),
    "decision": ("decision.json of a run: what it costs and when it pays", Decision),
}


@click.command(name="schema")
@click.argument("name", type=click.Choice(list(SCHEMAS)), required=False)
def command(name: str | None) -> None:
    """The JSON Schema of a file, for an editor or another program; without NAME a line for each.

    \b
    Examples:
      breakeven schema
      breakeven schema demand > demand.schema.json
    """
    if name is not None:
        click.echo(json.dumps(json_schema(name), indent=2))
        return
    for known, (what, _) in SCHEMAS.items():
        click.echo(f"{known:10}{what}")


def json_schema(name: str) -> dict[str, Any]:
    """The schema of what may be read."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **TypeAdapter(SCHEMAS[name][1]).json_schema()}
