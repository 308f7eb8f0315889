"""The arms beside each other, a month and per task: every API, and the box."""

from __future__ import annotations

from harness.base.rounding import amount, whole
from harness.base.units import HOURS_PER_MONTH
from harness.report.model import Cell, Column, Row, Table
from harness.report.money.money import (
    arm_cell,
    at_volume_words,
    instance_words,
    source_words,
    wins_for_good_from,
    wins_from,
)
from harness.report.text import clean, per_task, percent, price
from harness.rundir.decide import AtVolume, Decided
from harness.rundir.decision import Arm, Decision, EffectiveRates

_NOT_ITS_OWN = Cell("–", tone="muted")  # the box is what the arms are compared with


def arms_table(decision: Decision) -> Table:
    """Every arm a month and per task, the box among them."""
    struck = any(_differs_without_people(arm) for arm in decision.arms)
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
    rows = [*(_arm_row(arm, struck=struck) for arm in decision.arms), _self_host_row(decision, struck=struck)]
    return Table(f"The arms, a month and per task, {at_volume_words(decision)}", tuple(columns), tuple(rows))


def _differs_without_people(arm: Arm) -> bool:
    return arm.decision_without_people.first_win_tasks_per_month != arm.decision.first_win_tasks_per_month


def _arm_row(arm: Arm, *, struck: bool) -> Row:
    decided, listed, at = arm.decision, arm.price, arm.decision.at_volume
    saved = None if at is None else at.saving_usd
    cells = [
        arm_cell(arm),
        Cell(
            _in_out(listed),
            note=_effective(listed, listed.effective) + source_words(listed.source, listed.version, listed.checked_on),
        ),
        Cell(per_task(decided.api_usd_per_task)),
        Cell(amount(None if at is None else at.api_usd), note="no volume given" if at is None else ""),
        Cell(amount(saved), tone="" if saved is None else "good" if saved >= 0 else "bad"),
        _edge(decided, wins_from(decided)),
        _edge(decided, wins_for_good_from(decided)),
    ]
    if struck:
        cells.append(_edge(arm.decision_without_people, wins_from(arm.decision_without_people)))
    return Row(tuple(cells))


def _in_out(rates: EffectiveRates) -> str:
    return f"{price(rates.input_usd_per_mtok)} / {price(rates.output_usd_per_mtok)}"


def _effective(listed: EffectiveRates, effective: EffectiveRates) -> str:
    """The rates the demand really comes to, where tiers, batches or several models make them others."""
    return "" if _in_out(effective) == _in_out(listed) else f"comes to {_in_out(effective)}\n"


def _edge(decided: Decided, shown: str) -> Cell:
    if decided.capacity_tasks_per_month is None:
        return Cell("no goodput", tone="bad")
    return Cell(shown, tone="bad" if decided.verdict == "never" else "")


def _self_host_row(decision: Decision, *, struck: bool) -> Row:
    instance, own = decision.self_host.instance, decision.arms[0].input.self_host
    at = decision.arms[0].decision.at_volume
    hourly = f"{price(instance.usd_per_hour)} USD/h"
    per, month = (None, None) if at is None else (at.self_usd_per_task, at.self_usd)
    return Row(
        (
            Cell(f"self-host on {clean(instance.id)}", note=instance_words(instance)),
            Cell(hourly, note=source_words(instance.source, None, instance.checked_on)),
            Cell(per_task(per), note=_why_no_task_price(at)),
            Cell(amount(month), note=_sum_words(at, hourly, own.fixed_usd_per_month)),
            *[_NOT_ITS_OWN] * (4 if struck else 3),
        ),
        strong=True,
    )


def _sum_words(at: AtVolume | None, hourly: str, fixed_usd: float) -> str:
    """`1 × 5.672 USD/h × 730 h + 8,667 fixed`, and how far the instances are used."""
    if at is None or at.instances is None:
        return "no goodput or no volume"
    more = f" + {amount(fixed_usd)} fixed" if fixed_usd else ""
    used = f"{percent(at.utilization)} used"
    return f"{whole(at.instances)} × {hourly} × {HOURS_PER_MONTH} h{more}\n{used}"


def _why_no_task_price(at: AtVolume | None) -> str:
    if at is None:
        return "no volume given"
    if at.self_usd_per_task is not None:
        return ""
    return "no tasks" if at.tasks_per_month == 0 else "no goodput"
