"""Where every number that the verdict rests on came from: measured, listed by someone on a date, or assumed."""

from __future__ import annotations

from harness.base.rounding import significant, whole
from harness.report.measured.steps import goodput_words
from harness.report.model import Table, table_of
from harness.report.money.money import checked_words
from harness.report.text import clean, input_words, percent, price
from harness.rundir.decision import Decision
from harness.rundir.results import Metrics

Fact = tuple[str, str, str, str]  # number, value, origin, source


def origins_table(metrics: Metrics, decision: Decision | None) -> Table:
    """What was measured, then what the decision lists or assumes."""
    rows = _measured_rows(metrics)
    if decision is not None:
        rows += _stated_rows(decision)
    return table_of(
        "Every number that the verdict rests on",
        rows,
        ("number", None, lambda row: row[0]),
        ("value", None, lambda row: row[1]),
        ("origin", None, lambda row: row[2]),
        ("source", None, lambda row: row[3]),
    )


def _measured_rows(metrics: Metrics) -> list[Fact]:
    step = metrics.decisive if metrics.goodput is not None else None
    where = "no step met the SLO"
    if step is not None:
        where = (
            f"step {step.number}, {step.load.words}, {significant(step.window.length_s)} s window, "
            f"{whole(step.requests)} requests"
        )
    rows = [("goodput", goodput_words(metrics).removeprefix("goodput").lstrip(": "), "measured", where)]
    if step is not None:
        lengths = f"{significant(step.mean_input_tokens)} in / {significant(step.mean_output_tokens)} out"
        rows.append(("mean tokens of a request", lengths, "measured", where))
    return rows


def _stated_rows(decision: Decision) -> list[Fact]:
    """The facts of decision.json; the goodput is left to what was measured, which says more."""
    rows: list[Fact] = []
    for fact in decision.provenance:
        if fact.what == "goodput":
            continue
        shown = _unset(fact.what) if fact.value is None else _with_unit(fact.value, clean(fact.unit))
        date = f", {checked_words(fact.date)}" if fact.date else ""
        rows.append((input_words(fact.what), shown, fact.kind, f"{clean(fact.source)}{date}"))
    return rows


def _with_unit(value: float, unit: str) -> str:
    return percent(value) if unit == "share" else f"{price(value)} {unit}".strip()


def _unset(what: str) -> str:
    return "no limit: until success" if what == "max_retries" else "not given"
