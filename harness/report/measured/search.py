"""How a search went: every probe in the order it was made, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.rounding import significant, whole
from harness.report.measured.steps import gives_goodput
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import clean, count
from harness.rundir.results import Metrics, Step

_UNFINISHED = "The search did not come to an end: the run was cut short."


def search_blocks(run: Mapping[str, Any], metrics: Metrics) -> tuple[Block, ...]:
    """The probes and the reason to stop; nothing for any other kind of load."""
    probes = [step for step in metrics.steps if step.load.kind == "search"]
    if not probes:
        return ()
    ended = search_end(run)
    return (Text(f"{ended}." if ended else _UNFINISHED, "" if ended else "warn"), probes_table(metrics, probes))


def search_end(run: Mapping[str, Any]) -> str:
    """`The search ended (found): 12 users pass, 13 users fail`; empty where it did not, or was none."""
    ending = (run.get("client") or {}).get("search") or {}
    return f"The search ended ({clean(ending['reason'])}): {clean(ending['text'])}" if ending else ""


def probes_table(metrics: Metrics, probes: list[Step]) -> Table:
    """One row a probe, in the order they were made."""
    rows = []
    for number, step in enumerate(probes, start=1):
        cells = (
            Cell(str(number)),
            Cell(step.load.words),
            _verdict(step),
            Cell(significant(step.window.length_s)),
            Cell(whole(step.requests)),
            Cell(significant(step.goodput_requests_per_s), tone="muted" if step.goodput_requests_per_s is None else ""),
        )
        rows.append(Row(cells, strong=gives_goodput(metrics, step)))
    return Table(
        caption=f"The search's {count(len(probes), 'probe')}, in the order they were made",
        columns=(
            Column("probe"),
            Column("load", right=False),
            Column("verdict", right=False),
            Column("window", "s"),
            Column("requests"),
            Column("within SLO", "req/s"),
        ),
        rows=tuple(rows),
        notes=("The row in bold gives the goodput.",) if any(row.strong for row in rows) else (),
    )


def _verdict(step: Step) -> Cell:
    if step.over_saturated:
        return Cell("fails: the queue grew", tone="bad")
    if step.given_up:
        return Cell("fails: cut, it could not pass any more", tone="bad")
    if step.slo_met is None:
        return Cell("too few requests to say", tone="muted")
    return Cell("passes", tone="good") if step.slo_met else Cell("fails", tone="bad")
