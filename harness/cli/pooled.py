"""Prints the pooled figures of repeated runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from harness.base.rounding import NA, significant
from harness.report.text import interval, percent


def print_pooled(pooled: Mapping[str, Any]) -> None:
    """One line a run, then the mean, its interval and the spread."""
    names = [Path(row["run_dir"]).name for row in pooled["runs"]]
    width = max(len("run"), *map(len, names))
    click.echo(f"{'run':{width}}  goodput, req/s")
    for name, row in zip(names, pooled["runs"], strict=True):
        more = "  or more" if row["at_least"] else ""
        click.echo(f"{name:{width}}  {_rate(row['goodput_requests_per_s']):>14}{more}")
    goodput, spread = pooled["goodput"], pooled["spread"]
    if goodput is None:
        click.echo(f"mean n/a: {pooled['note']}")
        return
    click.echo(
        f"mean {'at least ' if goodput['at_least'] else ''}{_rate(goodput['requests_per_s'])} req/s, "
        f"{percent(goodput['confidence'])} interval over {goodput['n']} runs "
        f"{interval(goodput['low'], goodput['high'])}"
    )
    share = NA if spread["share_of_mean"] is None else percent(spread["share_of_mean"])
    click.echo(f"spread {_rate(spread['lowest'])} to {_rate(spread['highest'])} req/s, {share} of the mean")


def _rate(value: float | None) -> str:
    return NA if value is None else significant(value)
