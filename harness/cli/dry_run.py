"""`breakeven run --dry-run`: what a run would take, before anything is sent."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from harness.base.errors import UsageError
from harness.cost.checks import off_shape
from harness.demand.demand import demand_from_dict
from harness.pipeline.measure import planned_start
from harness.pipeline.options import RunOptions
from harness.scenario.estimate import estimate


def start_notes(options: RunOptions, engine: str | None) -> list[str]:
    """What is said of the engine's start, or why it is refused where others are started too.

    Raises:
        UsageError: it cannot come up.
    """
    try:
        return planned_start(replace(options, engine=engine)).notes
    except UsageError as error:
        if engine == options.engine:
            raise
        return [f"{engine} cannot come up: {error}"]


def shape_note(options: RunOptions, plan: Mapping[str, Any]) -> str | None:
    """Why the demand given will not be decided on what `plan` sends; None: it will, or only the answers will tell."""
    requests = plan["requests"][1]
    if options.demand is None or plan["prompts"] or not requests:
        return None
    demand = demand_from_dict(dict(options.demand))
    off = off_shape(demand, plan["input_tokens"][1] / requests, plan["output_tokens"][1] / requests)
    if not off:
        return None
    return (
        f"the scenario's requests are not those of {demand.name}, and its answer not to be decided on: {'; '.join(off)}"
    )


def print_estimate(options: RunOptions, usd_per_hour: float | None, of_start: list[str], *, as_json: bool) -> None:
    """What it will take; `of_start`: what is said of an engine's start."""
    plan = estimate(options.scenario, usd_per_hour, options.base_dir)
    shape = shape_note(options, plan)
    plan["notes"] = [*plan["notes"], *([shape] if shape else []), *of_start]
    if as_json:
        click.echo(json.dumps(plan))
        return
    low, high = plan["requests"]
    what = "steps" if plan["tasks"] is None else "rounds at most, on a slow server"
    click.echo(
        f"{options.scenario.name}: {plan['seconds']:.0f} s of load in {plan['steps']} {what}, nothing is sent now"
    )
    if plan["tasks"] is not None:
        click.echo(f"  tasks          {plan['tasks']:,}, at most {plan['attempts']} attempts at each")
    click.echo(f"  requests       {low:,} to {high:,}   ({plan['basis']})")
    held = [f"{seconds:.0f}" for seconds in plan["hold_seconds"]]
    if plan["hold_seconds"][1]:
        click.echo(f"  and hold       {held[0]} to {held[1]} s more, until each step's own requests have ended")
    for name in ("input_tokens", "output_tokens"):
        few, many = plan[name]
        click.echo(f"  {name.replace('_', ' '):14} {few:,} to {many:,}")
    if plan["prompts"]:
        click.echo(f"  prompts        {plan['prompts']}")
    usd = plan["instance_usd"]
    for note in plan["notes"]:
        click.echo(f"  note           {note}")
    click.echo(f"  instance       {'n/a (no --instance)' if usd is None else f'USD {usd:.4f} at USD {usd_per_hour}/h'}")
