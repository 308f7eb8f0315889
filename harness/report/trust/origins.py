"""Where every number that the verdict rests on came from: measured, listed by someone on a date, or assumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.report.measured.steps import goodput_words
from harness.report.model import Cell, Column, Row, Table
from harness.report.money.money import instance_words, source_of
from harness.report.text import (
    NA,
    amount,
    clean,
    input_words,
    number,
    percent,
    price,
    significant,
    volume,
    whole,
)
from harness.rundir.results import Metrics

Fact = tuple[str, str, str, str]  # number, value, origin, source


def origins_table(metrics: Metrics, decision: Mapping[str, Any] | None) -> Table:
    """What was measured, then what the decision lists or assumes: its own facts where it carries them."""
    rows = _measured_rows(metrics)
    if decision:
        rows += _stated_rows(decision) or [*_listed_rows(decision), *_assumed_rows(decision)]
    return Table(
        caption="Every number that the verdict rests on",
        columns=(
            Column("number", right=False),
            Column("value", right=False),
            Column("origin", right=False),
            Column("source", right=False),
        ),
        rows=tuple(Row(tuple(Cell(text) for text in row)) for row in rows),
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


def _stated_rows(decision: Mapping[str, Any]) -> list[Fact]:
    """The facts of decision.json itself; the goodput is left to what was measured, which says more."""
    rows = []
    for fact in decision.get("provenance") or []:
        if fact.get("what") == "goodput":
            continue
        value, unit = number(fact.get("value")), clean(fact.get("unit") or "")
        shown = _unset(fact.get("what")) if value is None else _with_unit(value, unit)
        date = f", checked {clean(fact['date'])}" if fact.get("date") else ""
        origin, source = clean(fact.get("kind") or NA), clean(fact.get("source") or NA)
        rows.append((input_words(fact.get("what")), shown, origin, f"{source}{date}"))
    return rows


def _with_unit(value: float, unit: str) -> str:
    return percent(value) if unit == "share" else f"{price(value)} {unit}".strip()


def _unset(what: Any) -> str:
    return {"max_retries": "no limit: until success", "peak_to_mean": "from the hourly profile"}.get(
        str(what), "not given"
    )


def _listed_rows(decision: Mapping[str, Any]) -> list[Fact]:
    instance = (decision.get("self_host") or {}).get("instance") or {}
    origin = clean(instance.get("kind") or ("listed" if instance.get("source") else "assumed"))
    rows = [
        (
            f"{clean(instance.get('id') or 'instance')}, {instance_words(instance) or 'place unknown'}",
            f"{price(instance.get('usd_per_hour'))} USD/h",
            origin,
            _source(instance),
        )
    ]
    for arm in decision.get("arms") or []:
        listed = arm.get("price") or {}
        cached = number(listed.get("cached_input_usd_per_mtok"))
        value = (
            f"{price(listed.get('input_usd_per_mtok'))} in / {price(listed.get('output_usd_per_mtok'))} out"
            f"{f' / {price(cached)} cached' if cached is not None else ''} USD per Mtok"
        )
        resolved = "/".join(clean(arm[key]) for key in ("provider", "model") if arm.get(key))
        rows.append(
            (
                resolved or clean(arm.get("name")),
                value,
                clean(listed.get("kind") or ("listed" if listed.get("source") else "assumed")),
                _source(listed),
            )
        )
    return rows


def _source(listed: Mapping[str, Any]) -> str:
    return source_of(listed).replace("\n", ", ")


def _assumed_rows(decision: Mapping[str, Any]) -> list[Fact]:
    arm = next(iter(decision.get("arms") or []), None)
    given = (arm or {}).get("input") or {}
    work, box = given.get("workload") or {}, given.get("self_host") or {}
    name = (decision.get("demand") or {}).get("name")
    demand = f"demand {clean(name)}" if name else "demand"
    tasks = number(work.get("tasks_per_month"))
    profile = work.get("hourly_profile")
    rows = [
        ("tasks a month", "not given" if tasks is None else volume(tasks), demand),
        ("task", _classes(work.get("classes")), demand),
        ("retries", f"{percent(work.get('retry_failure_rate'))} fail, {_most(work)}", demand),
        (
            "response cache",
            f"{percent(work.get('response_cache_hit_rate'))} of tasks answered from it",
            demand,
        ),
        (
            "peak to mean",
            f"from {len(profile)} hourly weights" if profile else significant(work.get("peak_to_mean")),
            demand,
        ),
        ("load limit", f"{percent(box.get('max_load'))} of goodput at the peak", "decision input"),
        ("instances at least", whole(box.get("min_instances")), "decision input"),
        ("fixed cost, self-host", f"{amount(box.get('fixed_usd_per_month'))} USD a month", demand),
        (
            "tokens of the same text",
            "1.0 × the measured model's, for every arm",
            "tokenizers were not compared",
        ),
    ]
    return [(what, value, "assumed", source) for what, value, source in rows] if arm else []


def _classes(classes: Any) -> str:
    shown = [
        f"{clean(c.get('name') or 'task')} {whole(c.get('input_tokens'))} in / "
        f"{whole(c.get('output_tokens'))} out"
        + (f", weight {significant(c.get('weight'))}" if len(classes) > 1 else "")
        for c in classes or []
    ]
    return "; ".join(shown) or NA


def _most(work: Mapping[str, Any]) -> str:
    most = work.get("max_retries")
    if most is None:
        return "retried until success"
    return f"retried at most {whole(most)} times" if most else "none retried"
