"""The report's tables of money: needed goodput, cost at several volumes, the arms, USD per million tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.base.units import HOURS_PER_MONTH
from harness.report.charts.curves import api_of, self_host_of, tasks_of, windows_of
from harness.report.model import Cell, Column, Row, Table, Tone
from harness.report.text import (
    NA,
    amount,
    clean,
    interval,
    number,
    per_task,
    percent,
    price,
    role,
    significant,
    volume,
    whole,
)

_VOLUMES_SHOWN = 12


def arm_cell(arm: Mapping[str, Any]) -> Cell:
    """An arm's name with its role beneath, and why it stands in for another where it does."""
    return Cell(clean(arm.get("name") or "unnamed"), note=arm_kind(arm))


def arm_kind(arm: Mapping[str, Any]) -> str:
    """What an arm is, in words: its label (a stand-in says for what it stands in), else its role."""
    return clean(arm["label"]) if arm.get("label") else role(arm.get("role"))


def needed_table(decision: Mapping[str, Any]) -> Table:
    """Goodput measured beside the smallest goodput at which one full instance pays for itself."""
    goodput = (decision.get("self_host") or {}).get("goodput")
    rows = tuple(_needed_row(arm, goodput) for arm in decision.get("arms") or [])
    return Table(
        caption="Goodput of one instance: measured, and needed before a full instance pays for itself",
        columns=(
            Column("API arm", right=False),
            Column("needed", "req/s"),
            Column("measured", "req/s"),
            Column("measured ÷ needed"),
            Column("a full instance pays", right=False),
        ),
        rows=rows,
        notes=(
            "Needed counts the instance's own cost only: fixed costs (people) move the volume, not this.",
        ),
    )


def _needed_row(arm: Mapping[str, Any], goodput: Mapping[str, Any] | None) -> Row:
    needed = number((arm.get("decision") or {}).get("min_goodput_requests_per_s"))
    measured = number((goodput or {}).get("requests_per_s"))
    low, high = number((goodput or {}).get("low")), number((goodput or {}).get("high"))
    answer, tone = _pays(needed, measured, low, high)
    ratio = significant(measured / needed) if measured is not None and needed else NA
    return Row(
        (
            arm_cell(arm),
            Cell(significant(needed), note="" if needed is not None else "the API costs nothing"),
            Cell(significant(measured), note=_measured_note(goodput)),
            Cell(ratio if ratio == NA else f"{ratio}×"),
            Cell(answer, tone=tone),
        )
    )


def _measured_note(goodput: Mapping[str, Any] | None) -> str:
    if not goodput:
        return "no load step met the SLO"
    confidence = number(goodput.get("confidence"))
    at = f" at {percent(confidence)}" if confidence is not None else ""
    low, high = goodput.get("low"), goodput.get("high")
    return interval(low, high) + (at if number(low) is not None else "")


def _pays(
    needed: float | None, measured: float | None, low: float | None, high: float | None
) -> tuple[str, Tone]:
    if measured is None:
        return "no answer: no goodput", "bad"
    if needed is None:
        return "never: the API is free", "bad"
    if low is not None and high is not None and low < needed <= high:
        return "cannot tell: the interval holds the needed value", "warn"
    sure = "" if low is not None and high is not None else " (no interval)"
    return ("yes" + sure, "good") if measured >= needed else ("no" + sure, "bad")


def volume_table(decision: Mapping[str, Any]) -> Table | None:
    """The chart's numbers: what a month costs at the volumes where something changes."""
    arms = [arm for arm in decision.get("arms") or [] if api_of(arm)]
    box = next((b for b in map(self_host_of, arms) if b), None)
    volumes = _volumes(decision)
    if not arms or not volumes:
        return None
    own = tasks_of(decision)
    rows = []
    for tasks, why in volumes:
        costs = [api.usd(tasks) for arm in arms if (api := api_of(arm))]
        mine = box.usd(tasks) if box else None
        cells = [
            Cell(whole(tasks)),
            Cell(why),
            Cell(whole(box.instances(tasks)) if box else NA),
            Cell(amount(mine)),
        ]
        cells += [_against(cost, mine) for cost in costs]
        rows.append(Row(tuple(cells), strong=tasks == own))
    columns = [
        Column("tasks a month"),
        Column("what is there", right=False),
        Column("instances"),
        Column("self-host", "USD a month"),
    ]
    columns += [Column(clean(arm.get("name")), "USD a month") for arm in arms]
    return Table(
        caption="What a month costs at the volumes where something changes",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=("Beneath an API's price: what self-hosting saves or loses against it.",),
    )


def _against(cost: float, mine: float | None) -> Cell:
    if mine is None:
        return Cell(amount(cost))
    saved = cost - mine
    if abs(saved) <= 1e-6 * max(cost, mine):
        return Cell(amount(cost), note="both cost the same", tone="good")
    wins = saved > 0
    return Cell(
        amount(cost),
        note=f"self-host {'saves' if wins else 'loses'} {amount(abs(saved))}",
        tone="good" if wins else "",
    )


def _volumes(decision: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Volumes worth a row, each with why: the reader's own, a full instance, where wins begin or end."""
    found: dict[float, list[str]] = {}
    own = tasks_of(decision)
    if own is not None:
        found.setdefault(own, []).append("your volume")
    for arm in decision.get("arms") or []:
        box = self_host_of(arm)
        if box:
            found.setdefault(box.capacity_tasks_per_month * box.min_instances, []).append(
                "one instance full" if box.min_instances == 1 else f"{box.min_instances} instances full"
            )
        for low, high in windows_of(arm)[:4]:
            found.setdefault(low, []).append(f"wins against {clean(arm.get('name'))}")
            if high is not None:
                found.setdefault(high, []).append(f"last win against {clean(arm.get('name'))}")
    kept = sorted(found.items())[:_VOLUMES_SHOWN]
    return [(tasks, "; ".join(dict.fromkeys(why))) for tasks, why in kept if tasks > 0 or tasks == own]


def instance_words(instance: Mapping[str, Any]) -> str:
    """`aws us-east-1, 4 × A10G (22.35 GiB each), on demand`."""
    gpu, gpus = instance.get("gpu"), number(instance.get("gpu_count"))
    memory = number(instance.get("gpu_memory_gib"))
    each = f" ({price(memory)} GiB each)" if memory is not None else ""
    hardware = f"{whole(gpus)} × {clean(gpu)}{each}" if gpu and gpus else "no GPU" if gpus == 0 else ""
    place = " ".join(clean(instance[key]) for key in ("provider", "region") if instance.get(key))
    purchase = clean(instance["purchase"]).replace("_", " ") if instance.get("purchase") else ""
    return ", ".join(part for part in (place, hardware, purchase) if part)


def source_of(listed: Mapping[str, Any]) -> str:
    """Where a price was listed, and on a second line when that was looked up."""
    source = clean(listed["source"]) if listed.get("source") else "source unknown"
    version = f" {clean(listed['version'])}" if listed.get("version") else ""
    checked = f"checked {clean(listed['checked_on'])}" if listed.get("checked_on") else "date unknown"
    return f"{source}{version}\n{checked}"


def _self_month(decision: Mapping[str, Any]) -> str:
    """What the self-host month is made of: `, self = 2 x 65.15 + 8,667 fixed by the demand`."""
    arm = (decision.get("arms") or [{}])[0]
    box = (arm.get("input") or {}).get("self_host") or {}
    instances = ((arm.get("decision") or {}).get("at_volume") or {}).get("instances")
    usd_per_hour, fixed = number(box.get("usd_per_hour")), number(box.get("fixed_usd_per_month"))
    if instances is None or usd_per_hour is None:
        return ""
    people = f" + {amount(fixed)} fixed by the demand" if fixed else ""
    return f", self = {instances} x {amount(usd_per_hour * HOURS_PER_MONTH)}{people}"


def console_arms_table(decision: Mapping[str, Any]) -> Table:
    """The one table of the console: narrow enough for 100 columns."""
    goodput = (decision.get("self_host") or {}).get("goodput") or {}
    rows = []
    for arm in decision.get("arms") or []:
        decided = arm.get("decision") or {}
        at = decided.get("at_volume") or {}
        first = decided.get("first_win_tasks_per_month")
        rows.append(
            Row(
                (
                    Cell(clean(arm.get("name") or "unnamed")),
                    Cell(per_task(decided.get("api_usd_per_task"))),
                    Cell(amount(at.get("api_usd"))),
                    Cell(amount(at.get("self_usd"))),
                    Cell(significant(decided.get("min_goodput_requests_per_s"))),
                    Cell(significant(goodput.get("requests_per_s"))),
                    Cell("never" if first is None else volume(first)),
                )
            )
        )
    tasks = tasks_of(decision)
    at_volume = f"at {volume(tasks)} tasks a month" if tasks is not None else "(no monthly volume given)"
    return Table(
        caption=f"USD {at_volume}{_self_month(decision)}; goodput in req/s of one instance; wins: self-hosting",
        columns=(
            Column("API arm", right=False),
            Column("USD/task"),
            Column("API/month"),
            Column("self/month"),
            Column("needed"),
            Column("measured"),
            Column("wins from"),
        ),
        rows=tuple(rows),
    )
