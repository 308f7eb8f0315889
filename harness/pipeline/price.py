"""From a demand and a goodput that somebody gives to a decision and its report. Nothing is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from harness.cost.box.given import GivenRate
from harness.cost.focus import write_focus_csv
from harness.cost.verdict import decide_on_given
from harness.demand.demand import Demand
from harness.report import render_given
from harness.rundir import files
from harness.rundir.decision import Decision


@dataclass(frozen=True, slots=True)
class Priced:
    """A decision without a run, where it lies, and what the console shows of it."""

    directory: Path
    decision: Decision
    shown: RenderableType


def price_given(
    instance: Mapping[str, Any],
    rate: GivenRate,
    demand: Demand,
    arms: Sequence[str],
    *,
    model: str | None,
    prices_file: Path | None,
    out_dir: Path,
    command: tuple[str, ...],
) -> Priced:
    """Decide, and write decision.json, focus.csv, report.html and report.md into a new directory under `out_dir`.

    Raises:
        UsageError: a price that is missing, a rate that is none, a directory that cannot be made.
    """
    decision = decide_on_given(instance, rate, demand, arms, model=model, prices_file=prices_file)
    directory = files.create_run_dir(out_dir, datetime.now(UTC), "decide", demand.name, decision.self_host.instance.id)
    files.write_json(directory, "decision.json", decision.to_dict())
    write_focus_csv(decision, directory / "focus.csv")
    return Priced(directory, decision, render_given(decision, directory, demand.name, command))
