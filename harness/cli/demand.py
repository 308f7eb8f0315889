"""`breakeven demand`: a month's demand out of a request log."""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from harness.base.errors import UsageError
from harness.cli.groups import Group
from harness.cli.options import FILE, write_file
from harness.cli.outputs import makeable
from harness.cost.own_prices import load_prices
from harness.demand.demand import demand_from_dict
from harness.demand.from_log import demand_of
from harness.demand.of_log_words import head_words, summary
from harness.prices.catalog import tier_edges
from harness.scenario.logs.layout import TimeUnit
from harness.scenario.logs.reading import read_log


@click.group(name="demand", cls=Group)
def command() -> None:
    """What a month asks for: demand files."""


@command.command(name="from-trace")
@click.argument("file", type=FILE)
@click.option("--name", help="Name of the demand.  [default: the file's]")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help="What a column is, where that is not known by itself: time, input_tokens, output_tokens, cached_input_tokens, "
    "cache_write_tokens, reasoning_tokens, images, model, session, status, prompt (its text, or what stands for it). "
    "Repeatable.",
)
@click.option(
    "--time-unit", type=click.Choice(["s", "ms", "us", "ns"]), help="Of times that are plain numbers, if asked for."
)
@click.option("--per-model", is_flag=True, help="Classes for each model apart.")
@click.option(
    "--classes",
    type=click.IntRange(1, 100),
    help="Parts of equal number, by input length.  [default: cut so that prices in tiers come out right]",
)
@click.option("--prices", "prices_file", type=FILE, help="Your own prices, whose tiers the classes keep apart too.")
@click.option("--out", type=FILE, callback=makeable, help="Write it here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def from_trace(
    file: Path,
    name: str | None,
    columns: tuple[str, ...],
    time_unit: TimeUnit | None,
    per_model: bool,
    classes: int | None,
    prices_file: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Volume, lengths and hourly profile out of a request log FILE, as a demand file.

    FILE: CSV, JSON, JSON lines (each also gzipped) or Parquet, as its producer wrote it: LiteLLM, OpenRouter, Langfuse,
    Helicone, OpenAI's usage API or export, OTel GenAI spans, Azure LLM, BurstGPT, Mooncake, Bailian or WEKA traces, an
    access log with token counts; or with arrival_s, input_tokens, output_tokens. For anything else name the columns.

    \b
    Examples:
      breakeven demand from-trace requests.csv --out demand.yaml
      breakeven demand from-trace spendlogs.json --per-model --out demand.yaml
      breakeven demand from-trace gateway.parquet --column time=ts --column input_tokens=usage/in \\
          --column output_tokens=usage/out --time-unit ms --out demand.yaml
      breakeven report results/RUN --demand demand.yaml
    """
    log = read_log(file, columns=_named(columns), time_unit=time_unit, wants_prompts=True)
    tiers = tier_edges(load_prices(prices_file))
    called = name or file.name.partition(".")[0] or file.name
    demand = demand_of(log, name=called, classes=classes, tiers=tiers, per_model=per_model)
    demand_from_dict(demand, where=str(file))
    text = json.dumps(demand, indent=2) + "\n" if as_json else _yaml(demand, head_words(log))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_file(out, text)
    for line in summary(log, demand, per_model=per_model):
        click.echo(line, err=True)


def _named(columns: tuple[str, ...]) -> dict[str, str]:
    pairs = [column.partition("=") for column in columns]
    for ours, equals, theirs in pairs:
        if not (ours and equals and theirs):
            raise UsageError(
                f"--column must be OURS=THEIRS, got `{ours}{equals}{theirs}`",
                hint="--column input_tokens=prompt_tokens",
            )
    return {ours: theirs for ours, _, theirs in pairs}


def _yaml(demand: dict[str, Any], head: str) -> str:
    return f"# {head}\n" + yaml.safe_dump(demand, sort_keys=False, default_flow_style=None, width=110)
