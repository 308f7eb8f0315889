"""How a search went: every probe in the order it was made, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.rounding import significant, whole
from harness.report.measured.steps import THE_BOLD_ROW, gives_goodput
from harness.report.model import Block, Cell, Table, Text, table_of
from harness.report.text import clean, count
from harness.rundir.results import Metrics, Step

_UNFINISHED = "The search did not come to an end: the run was cut short."


def search_blocks(client: Mapping[str, Any], metrics: Metrics) -> tuple[Block, ...]:
    """The probes and the reason to stop; nothing for any other kind of load."""
    probes = [step for step in metrics.steps if step.load.kind == "search"]
    if not probes:
        return ()
    ended = search_end(client)
    return (Text(f"{ended}." if ended else _UNFINISHED, "" if ended else "warn"), probes_table(metrics, probes))


def search_end(client: Mapping[str, Any]) -> str:
    """`The search ended (found): 12 users pass, 13 users fail`; empty where it did not, or was none."""
    ending = client.get("search")
    return f"The search ended ({clean(ending['reason'])}): {clean(ending['text'])}" if ending else ""


def probes_table(metrics: Metrics, probes: list[Step]) -> Table:
    """One row a probe, in the order they were made."""
    return table_of(
        f"The search's {count(len(probes), 'probe')}, in the order they were made",
        enumerate(probes, start=1),
        ("probe", "", lambda row: str(row[0])),
        ("load", None, lambda row: row[1].load.words),
        ("verdict", None, lambda row: _verdict(row[1])),
        ("window", "s", lambda row: significant(row[1].window.length_s)),
        ("requests", "", lambda row: whole(row[1].requests)),
        ("within SLO", "req/s", lambda row: _within(row[1].goodput_requests_per_s)),
        notes=(THE_BOLD_ROW,) if any(gives_goodput(metrics, step) for step in probes) else (),
        strong=lambda row: gives_goodput(metrics, row[1]),
    )


def _within(goodput: float | None) -> Cell:
    return Cell(significant(goodput), tone="muted" if goodput is None else "")


def _verdict(step: Step) -> Cell:
    if step.over_saturated:
        return Cell("fails: the queue grew", tone="bad")
    if step.given_up:
        return Cell("fails: cut, it could not pass any more", tone="bad")
    if step.slo_met is None:
        return Cell("too few requests to say", tone="muted")
    return Cell("passes", tone="good") if step.slo_met else Cell("fails", tone="bad")
