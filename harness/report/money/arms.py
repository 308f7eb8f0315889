"""The arms beside each other, a month and per task: every API, and the box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.units import HOURS_PER_MONTH
from harness.report.charts.curves import tasks_of
from harness.report.model import Cell, Column, Row, Table
from harness.report.money.money import arm_cell, instance_words, source_of
from harness.report.text import NA, amount, clean, number, per_task, percent, price, volume, whole

_NOT_ITS_OWN = Cell("–", tone="muted")  # the box is what the arms are compared with


def arms_table(decision: Mapping[str, Any]) -> Table:
    """Every arm a month and per task, the box among them."""
    arms = decision.get("arms") or []
    struck = any(_differs_without_people(arm) for arm in arms)
    tasks = tasks_of(decision)
    at = f"at {volume(tasks)} tasks a month" if tasks is not None else "no monthly volume was given"
    columns = [
        Column("arm", right=False),
        Column("price in / out", "USD per Mtok"),
        Column("per task", "USD"),
        Column("a month", "USD"),
        Column("self-host saves", "USD a month"),
        Column("self-host wins from", "tasks a month"),
        Column("wins for good from", "tasks a month"),
    ]
    if struck:
        columns.append(Column("wins from, people struck", "tasks a month"))
    rows = [*(_arm_row(arm, struck) for arm in arms), _self_host_row(decision, struck)]
    return Table(f"The arms, a month and per task, {at}", tuple(columns), tuple(rows))


def _differs_without_people(arm: Mapping[str, Any]) -> bool:
    struck, decided = arm.get("decision_without_people") or {}, arm.get("decision") or {}
    key = "first_win_tasks_per_month"
    return bool(struck) and struck.get(key) != decided.get(key)


def _arm_row(arm: Mapping[str, Any], struck: bool) -> Row:
    decided, listed = arm.get("decision") or {}, arm.get("price") or {}
    at = decided.get("at_volume") or {}
    own, api = number(at.get("self_usd")), number(at.get("api_usd"))
    saved = None if own is None or api is None else api - own
    cells = [
        arm_cell(arm),
        Cell(_in_out(listed), note=_effective(listed) + source_of(listed)),
        Cell(per_task(decided.get("api_usd_per_task"))),
        Cell(amount(api), note="" if api is not None else "no volume given"),
        Cell(amount(saved), tone="" if saved is None else "good" if saved >= 0 else "bad"),
        _from(decided, "first_win_tasks_per_month"),
        _from(decided, "permanent_win_tasks_per_month"),
    ]
    if struck:
        cells.append(_from(arm.get("decision_without_people") or {}, "first_win_tasks_per_month"))
    return Row(tuple(cells))


def _in_out(listed: Mapping[str, Any]) -> str:
    return f"{price(listed.get('input_usd_per_mtok'))} / {price(listed.get('output_usd_per_mtok'))}"


def _effective(listed: Mapping[str, Any]) -> str:
    """The rates the demand really comes to, where tiers, batches or several models make them others."""
    effective = listed.get("effective") or {}
    if not effective or _in_out(effective) == _in_out(listed):
        return ""
    return f"comes to {_in_out(effective)}\n"


def _from(decided: Mapping[str, Any], key: str) -> Cell:
    if decided.get("capacity_tasks_per_month") is None:
        return Cell("no goodput", tone="bad")
    tasks = number(decided.get(key))
    never = decided.get("verdict") == "never"
    return Cell("never" if tasks is None else volume(tasks), tone="bad" if never else "")


def _self_host_row(decision: Mapping[str, Any], struck: bool) -> Row:
    instance = (decision.get("self_host") or {}).get("instance") or {}
    arms = decision.get("arms") or []
    volumes = [(arm.get("decision") or {}).get("at_volume") for arm in arms]
    at: Mapping[str, Any] = next((a for a in volumes if a), {})
    hourly = price(instance.get("usd_per_hour"))
    return Row(
        (
            Cell(f"self-host on {clean(instance.get('id') or NA)}", note=instance_words(instance)),
            Cell(NA if hourly == NA else f"{hourly} USD/h", note=source_of(instance)),
            Cell(per_task(at.get("self_usd_per_task")), note=_why_no_task_price(at)),
            Cell(amount(at.get("self_usd")), note=_sum_words(at, arms, hourly)),
            *[_NOT_ITS_OWN] * (4 if struck else 3),
        ),
        strong=True,
    )


def _sum_words(at: Mapping[str, Any], arms: list[Mapping[str, Any]], hourly: str) -> str:
    """`1 × 5.672 USD/h × 730 h + 8,667 fixed`, and how far the instances are used."""
    instances = number(at.get("instances"))
    if instances is None:
        return "no goodput or no volume"
    fixed = next(
        (number(((a.get("input") or {}).get("self_host") or {}).get("fixed_usd_per_month")) for a in arms),
        None,
    )
    more = f" + {amount(fixed)} fixed" if fixed else ""
    used = f"\n{percent(at.get('utilization'))} used" if number(at.get("utilization")) is not None else ""
    return f"{whole(instances)} × {hourly} USD/h × {HOURS_PER_MONTH} h{more}{used}"


def _why_no_task_price(at: Mapping[str, Any]) -> str:
    if number(at.get("self_usd_per_task")) is not None:
        return ""
    if not at:
        return "no volume given"
    return "no tasks" if number(at.get("tasks_per_month")) == 0 else "no goodput"
