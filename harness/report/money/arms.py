"""The arms beside each other, a month and per task: every API, and the box."""

from collections.abc import Callable
from dataclasses import replace

from harness.base.rounding import NA, amount, significant, volume, whole
from harness.base.units import HOURS_PER_MONTH
from harness.report.model import Cell, Field, Row, Table, table_of
from harness.report.money.money import (
    always_on,
    arm_cell,
    at_volume_words,
    instance_words,
    running_words,
    source_words,
    wins_for_good_from,
    wins_from,
)
from harness.report.text import clean, per_task, percent, price
from harness.rundir.arm_price import EffectiveRates, MixPrice, ModelPrice
from harness.rundir.decide import Api, AtVolume, Decided, DecideInput
from harness.rundir.decision import Arm, Decision

_NOT_ITS_OWN = Cell("–", tone="muted")  # the box is what the arms are compared with


def arms_table(decision: Decision) -> Table:
    """Every arm a month and per task, the box among them."""
    fields: list[Field[Arm]] = [
        ("arm", None, arm_cell),
        ("price in / out", "USD per Mtok", lambda arm: _listed(arm.price, terms_words(arm.input.api))),
        ("per task", "USD", lambda arm: per_task(arm.decision.api_usd_per_task)),
        ("a month", "USD", lambda arm: _month(arm.decision.at_volume)),
        ("self-host saves", "USD a month", lambda arm: _saved(arm.decision.at_volume)),
        ("self-host wins from", "tasks a month", lambda arm: _edge(arm.decision, wins_from)),
        ("wins for good from", "tasks a month", lambda arm: _edge(arm.decision, wins_for_good_from)),
    ]
    if any(_differs_without_people(arm) for arm in decision.arms):
        struck: Field[Arm] = (
            "wins from, people struck", "tasks a month", lambda arm: _edge(arm.decision_without_people, wins_from)
        )  # fmt: skip
        fields.append(struck)
    table = table_of(f"The arms, a month and per task, {at_volume_words(decision)}", decision.arms, *fields)
    return replace(table, rows=(*table.rows, _self_host_row(decision, len(fields))))


def _differs_without_people(arm: Arm) -> bool:
    return arm.decision_without_people.first_win_tasks_per_month != arm.decision.first_win_tasks_per_month


def _listed(listed: MixPrice | ModelPrice, terms: str) -> Cell:
    source = source_words(listed.source, listed.version, listed.checked_on)
    beside = f"{terms}\n" if terms else ""
    return Cell(_in_out(listed), note=_effective(listed, listed.effective) + beside + source)


def terms_words(api: Api) -> str:
    """What an arm asks beside its price per token: `2,448 USD a unit of 1M tasks; + 5.5 %`; fixed costs left out."""
    size = f"{volume(api.unit_tasks_per_month)} tasks" if api.unit_tasks_per_month else ""
    size = f"{amount(api.unit_tokens_per_s)} tokens/s" if api.unit_tokens_per_s else size
    said = {
        f"{amount(api.units_usd_per_month)} USD a month a unit{f' of {size}' if size else ''}": api.units_usd_per_month,
        f"{price(api.usd_per_request)} USD a request": api.usd_per_request,
        f"+ {percent(api.surcharge)}": api.surcharge,
        f"{significant(api.output_ratio)} x our output tokens": api.output_ratio != 1,
        f"{amount(api.reasoning_tokens)} reasoning tokens": api.reasoning_tokens,
        f"{significant(api.tokenizer_ratio)} x our tokens": api.tokenizer_ratio != 1,
        f"{percent(api.success_rate or 0)} of calls succeed": api.success_rate is not None,
        f"{percent(api.cached_share or 0)} of the input cached": api.cached_share is not None,
    }
    return "; ".join(words for words, is_so in said.items() if is_so)


def _month(at: AtVolume | None) -> Cell:
    return Cell(NA, note="no volume given") if at is None else Cell(amount(at.api_usd))


def _saved(at: AtVolume | None) -> Cell:
    saved = None if at is None else at.saving_usd
    return Cell(amount(saved), tone="" if saved is None else "good" if saved >= 0 else "bad")


def _in_out(rates: EffectiveRates) -> str:
    return f"{price(rates.input_usd_per_mtok)} / {price(rates.output_usd_per_mtok)}"


def _effective(listed: EffectiveRates, effective: EffectiveRates) -> str:
    """The rates the demand really comes to, where tiers, batches or several models make them others."""
    return "" if _in_out(effective) == _in_out(listed) else f"comes to {_in_out(effective)}\n"


def _edge(decided: Decided, show: Callable[[Decided], str]) -> Cell:
    if decided.capacity_tasks_per_month is None:
        return Cell("no goodput", tone="bad")
    return Cell(show(decided), tone="bad" if decided.verdict == "never" else "")


def _self_host_row(decision: Decision, width: int) -> Row:
    instance = decision.self_host.instance
    at = decision.arms[0].decision.at_volume
    hourly = f"{price(instance.usd_per_hour)} USD/h"
    per, month = (None, None) if at is None else (at.self_usd_per_task, at.self_usd)
    cells = (
        Cell(f"self-host on {clean(instance.id)}", note=instance_words(instance)),
        Cell(hourly, note=source_words(instance.source, None, instance.checked_on)),
        Cell(per_task(per), note=_why_no_task_price(at)),
        Cell(amount(month), note=_sum_words(at, hourly, decision.arms[0].input)),
    )
    return Row(cells + (_NOT_ITS_OWN,) * (width - len(cells)), strong=True)


def _sum_words(at: AtVolume | None, hourly: str, given: DecideInput) -> str:
    """`1 × 5.672 USD/h × 730 h + 8,667 fixed`, and how far the instances are used."""
    if at is None:
        return "no volume"
    if at.instances is None:
        return "no goodput"
    own, unsolved_usd = given.self_host, given.beside_usd("self_host", at.tasks_per_month)
    more = f" + {amount(own.fixed_usd_per_month)} fixed" if own.fixed_usd_per_month else ""
    more += f" + {amount(unsolved_usd)} unsolved" if unsolved_usd else ""
    used = f"{percent(at.utilization)} used"
    if not always_on(own):
        return f"paid {running_words(own)}{more}\n{used}"
    return f"{whole(at.instances)} × {hourly} × {HOURS_PER_MONTH} h{more}\n{used}"


def _why_no_task_price(at: AtVolume | None) -> str:
    if at is None:
        return "no volume given"
    if at.self_usd_per_task is not None:
        return ""
    return "no tasks" if at.tasks_per_month == 0 else "no goodput"
