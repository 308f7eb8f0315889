"""How a search went: every probe in the order it was made, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.measured.steps import load_words, window_s
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import NA, clean, count, number, significant, whole

_UNFINISHED = "The search did not come to an end: the run was cut short."


def search_blocks(run: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[Block, ...]:
    """The probes and the reason to stop; nothing for any other kind of load."""
    probes = [step for step in metrics.get("steps") or [] if (step.get("load") or {}).get("kind") == "search"]
    if not probes:
        return ()
    ended = search_end(run)
    return (
        Text(f"{ended}." if ended else _UNFINISHED, "" if ended else "warn"),
        probes_table(metrics, probes),
    )


def search_end(run: Mapping[str, Any]) -> str:
    """`The search ended (found): 12 users pass, 13 users fail`; empty where it did not, or was none."""
    ending = (run.get("client") or {}).get("search") or {}
    return f"The search ended ({clean(ending['reason'])}): {clean(ending['text'])}" if ending else ""


def probes_table(metrics: Mapping[str, Any], probes: list[Mapping[str, Any]]) -> Table:
    """One row a probe, in the order they were made."""
    best = (metrics.get("goodput") or {}).get("step")
    rows = []
    for number_, step in enumerate(probes, start=1):
        length = window_s(step)
        rate = number(step.get("goodput_requests_per_s"))
        cells = (
            Cell(str(number_)),
            Cell(load_words(step)),
            _verdict(step),
            Cell(NA if length is None else significant(length)),
            Cell(whole(step.get("requests"))),
            Cell(NA, tone="muted") if rate is None else Cell(significant(rate)),
        )
        rows.append(Row(cells, strong=best is not None and step.get("step") == best))
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


def _verdict(step: Mapping[str, Any]) -> Cell:
    if step.get("over_saturated"):
        return Cell("fails: the queue grew", tone="bad")
    if step.get("given_up"):
        return Cell("fails: cut, it could not pass any more", tone="bad")
    met = step.get("slo_met")
    if met is None:
        return Cell("too few requests to say", tone="muted")
    return Cell("passes", tone="good") if met else Cell("fails", tone="bad")
