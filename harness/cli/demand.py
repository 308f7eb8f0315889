"""`breakeven demand`: a month's demand out of a request log."""

import json
from pathlib import Path
from typing import Any

import click
import yaml

from harness.base.units import SECONDS_PER_HOUR
from harness.cli.options import FILE, write_file
from harness.demand.demand import demand_from_dict
from harness.demand.from_log import demand_of
from harness.scenario.trace import Trace, read_trace


@click.group(name="demand")
def command() -> None:
    """What a month asks for: demand files."""


@command.command(name="from-trace")
@click.argument("file", type=FILE)
@click.option("--name", help="Name of the demand.  [default: the file's]")
@click.option("--classes", type=click.IntRange(1, 100), default=1, help="Parts of equal number, by input length.")
@click.option("--out", type=FILE, help="Write it here, not to stdout.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def from_trace(file: Path, name: str | None, classes: int, out: Path | None, as_json: bool) -> None:
    """Volume, lengths and hourly profile out of a request log FILE, as a demand file.

    FILE: CSV or JSONL with arrival_s, input_tokens, output_tokens; or an Azure LLM (2023, 2024), BurstGPT or
    Mooncake trace as published.

    \b
    Examples:
      breakeven demand from-trace requests.csv --out demand.yaml
      breakeven report results/RUN --demand demand.yaml
    """
    trace = read_trace(file)
    demand = demand_of(trace, name=name or file.stem, classes=classes)
    demand_from_dict(demand, where=str(file))
    text = json.dumps(demand, indent=2) + "\n" if as_json else _yaml(demand, trace, file)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_file(out, text)
    click.echo(_summary(trace, demand), err=True)


def _yaml(demand: dict[str, Any], trace: Trace, file: Path) -> str:
    head = f"# {len(trace.rows):,} requests of {file.name}, {_span(trace)}; its volume taken as typical of a month.\n"
    return head + yaml.safe_dump(demand, sort_keys=False, default_flow_style=None, width=110)


def _span(trace: Trace) -> str:
    hours = trace.span_s / SECONDS_PER_HOUR
    return f"{hours:.1f} h" if hours >= 1 else f"{trace.span_s:.0f} s"


def _summary(trace: Trace, demand: dict[str, Any]) -> str:
    skipped = f", {trace.skipped:,} without tokens left out" if trace.skipped else ""
    volume = demand["tasks_per_month"]
    per_month = "n/a (the log is too short)" if volume is None else f"{volume:,} a month"
    lines = [f"{len(trace.rows):,} requests over {_span(trace)} ({trace.layout} layout{skipped}): {per_month}"]
    if "hourly_profile" in demand:
        peak = max(demand["hourly_profile"])
        clock = "" if trace.first_hour_s is not None else "; hours count from the first request, the log has no clock"
        lines.append(f"busiest hour {peak:.2f} times the mean{clock}")
    else:
        lines.append("less than a day: no hourly profile, the peak is taken as the mean")
    return "\n".join(lines)
