"""`breakeven prices`: what is in the price list, from whom, and how old it is."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from harness.base.text import printable
from harness.cli.groups import Group
from harness.cli.options import PATH
from harness.cli.width import PAGE
from harness.cli.width import columns as terminal_columns
from harness.cost.arms import default_api
from harness.cost.own_prices import load_prices
from harness.prices.listing import Row, api_rows, instance_rows, source_letters
from harness.prices.record import STALE_AFTER_DAYS
from harness.prices.roles import ROLES

_SPARE = ("vcpu/GiB", "version", "gpus", "source", "cached", "checked_on")  # first the first

_own = click.option("--prices", "file", type=PATH, help="Your own prices; they win.")
_api = click.option("--api", "apis", multiple=True, metavar="PROVIDER:MODEL", help="An API model to show too.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(name="prices", cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Instance and API prices with source and date.

    \b
    Examples:
      breakeven prices list
      breakeven prices list --api openai:gpt-4.1 --json
      breakeven prices check --prices mine.yaml
    """
    if context.invoked_subcommand is None:
        context.invoke(list_)


@command.command(name="list")
@_own
@_api
@_json
def list_(file: Path | None = None, apis: Sequence[str] = (), as_json: bool = False) -> None:
    """Every instance price and the default API models' (and those of --api)."""
    instances, models = _rows(file, apis, None)
    if as_json:
        click.echo(json.dumps({"instances": instances, "api": models}, indent=2))
        return
    width = min(PAGE, terminal_columns())
    letters = source_letters([row["source"] for row in instances])
    click.echo("Instances, USD an hour")
    _table(
        [_instance_cells(row, letters) for row in instances],
        ("id", "region", "gpus", "vcpu/GiB", "purchase", "usd/h", "checked, by"),
    )
    click.echo("")
    for source, letter in letters.items():
        for line in wrap(f"{letter}  {printable(source, 1000)}", width, subsequent_indent="   "):
            click.echo(line)
    click.echo("\nAPIs, USD a million tokens")
    _table([_api_cells(row) for row in models], ("api", "input", "cached", "output", "source", "checked"))
    for row in models:
        for line in wrap(_beside(row), width, initial_indent="\n", subsequent_indent="  "):
            click.echo(line)


def _instance_cells(row: Row, letters: dict[str, str]) -> Row:
    return {
        "id": row["id"],
        "region": row["region"],
        "gpus": f"{row['gpu_count']} {row['gpu']}" if row["gpu"] else "none",
        "vcpu/GiB": f"{_cell(row['vcpu'])}/{_cell(row['ram_gib'])}",
        "purchase": row["purchase"],
        "usd/h": row["usd_per_hour"],
        "checked, by": f"{_cell(row['checked_on'])} {letters[row['source']]}",
    }


def _api_cells(row: Row) -> Row:
    rates = {name: row[f"{name}_usd_per_mtok"] for name in ("input", "output")}
    return {
        "api": f"{row['provider']}:{row['model']}",
        **rates,
        "cached": row["cached_input_usd_per_mtok"],
        "source": " ".join(part for part in (row["source"], row["version"]) if part),
        "checked": row["checked_on"],
    }


def _beside(row: Row) -> str:
    """What a model asks beside its price a token, when it changes, and what of it is not priced; empty: nothing."""
    said = [row["label"]] if row["label"] else []
    if row["source_checked_on"] is not None:
        said.append(f"its source looked on {row['source_checked_on']}")
    if "usd_per_request" in row["terms"]:
        said.append(f"{row['terms']['usd_per_request']:g} USD a request")
    if row["by_hour"]:
        inputs = [rates["input_usd_per_mtok"] for rates in row["by_hour"]]
        said.append(f"input {min(inputs):g} to {max(inputs):g} by the hour, shown is a flat day")
    if row["cache_write_1h_usd_per_mtok"] is not None:
        said.append(f"a cache write kept for an hour {row['cache_write_1h_usd_per_mtok']:g}")
    for change in row["changes"]:
        rates = change["rates"]
        said.append(f"from {change['starts_on']} {rates['input_usd_per_mtok']:g}/{rates['output_usd_per_mtok']:g}")
    said += [f"not priced: {part['words']}" for part in row["unused"]]
    return f"{row['provider']}:{row['model']}: {'; '.join(said)}" if said else ""


@command.command(name="check")
@_own
@_api
@_json
def check(file: Path | None = None, apis: Sequence[str] = (), as_json: bool = False) -> None:
    """How old every price is, and where a second list disagrees.

    Over 90 days is stale, a price without a date is undated, a model that nobody can buy any more is retired. The
    second list is a dated copy of LiteLLM's table; your own prices are held against the first one.
    """
    today = datetime.now(UTC).date()
    instances, models = _rows(file, apis, today)
    if as_json:
        click.echo(json.dumps({"today": today.isoformat(), "instances": instances, "api": models}, indent=2))
    else:
        _table(instances, ("id", "region", "purchase", "usd_per_hour", "checked_on", "age_days", "status"))
        click.echo("")
        aged = ("provider", "model", "source", "version", "checked_on", "age_days", "status")
        _table(models, (*aged, "disagrees"))
    old = sum(row["status"] != "fresh" for row in [*instances, *models])
    if old:
        click.echo(
            f"warning: {old} of {len(instances) + len(models)} prices are older than {STALE_AFTER_DAYS} days"
            " or undated\n"
            "hint: look the ones you use up, and give them with --prices FILE",
            err=True,
        )
    for row in models:
        if row["disagrees"]:
            click.echo(printable(f"warning: {row['provider']}:{row['model']}: {row['disagrees']}", 480), err=True)


def _rows(file: Path | None, apis: Sequence[str], today: date | None) -> tuple[list[Row], list[Row]]:
    prices = load_prices(file)
    stand = [default_api(role, prices) for role in ROLES]
    names = [f"{price.provider}:{price.model}" for price in stand]
    return instance_rows(prices, today), api_rows([*names, *apis], prices, today)


def _table(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Aligned plain text, numbers to the right; unknown is n/a. A narrow terminal is spared what can be spared."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(columns), *cells]) for i in range(len(columns))]
    spare = next((column for column in _SPARE if column in columns), None)
    if spare is not None and sum(widths) + 2 * (len(columns) - 1) > terminal_columns():
        _table(rows, [column for column in columns if column != spare])
        return
    numeric = [bool(rows) and all(isinstance(r.get(c), int | float | None) for r in rows) for c in columns]
    for line in [list(columns), *cells]:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        click.echo("  ".join(padded).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "n/a"
    return f"{value:.10g}" if isinstance(value, float) else printable(str(value))
