"""The month line by line, the ways to buy the same instances, a growing volume, and cost per solved task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.model import Cell, Column, Row, Table
from harness.report.text import (
    NA,
    amount,
    clean,
    number,
    per_task,
    percent,
    price,
    significant,
    volume,
    whole,
)

_ABSENT = Cell("–", tone="muted")  # not on this side's bill at all, which is no unknown


def bill_table(decision: Mapping[str, Any]) -> Table | None:
    """Every line of the month's bill, the box and each API beside each other, with the lines' sum."""
    bills = [bill for bill in decision.get("monthly") or [] if bill.get("lines")]
    if not bills:
        return None
    lines: dict[tuple[str, str], list[Mapping[str, Any] | None]] = {}
    for i, bill in enumerate(bills):
        for line in bill["lines"]:
            lines.setdefault(_key(line), [None] * len(bills))[i] = line
    rows = [_line_row(key, side_by_side) for key, side_by_side in lines.items()]
    rows += _sums(bills)
    columns = [Column("line", right=False), Column("origin", right=False)]
    columns += [Column(_side(bill), "USD a month") for bill in bills]
    return Table(
        caption=f"The month, line by line, at {volume(_tasks(decision))} tasks",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "Strike what is not yours. Lines that both sides pay alike are in the sum and in no decision; "
            "a dash: not on that side's bill.",
        ),
    )


def _tasks(decision: Mapping[str, Any]) -> Any:
    return (decision.get("demand") or {}).get("tasks_per_month")


def _key(line: Mapping[str, Any]) -> tuple[str, str]:
    kind = clean(line.get("line") or "other").replace("_", " ")
    # the box calls it instances, an API tokens; both are the inference
    return kind, "" if kind == "inference" else clean(line.get("name") or "")


def _side(bill: Mapping[str, Any]) -> str:
    return "self-host" if bill.get("name") == "self_host" else clean(bill.get("name") or "unnamed")


def _line_row(key: tuple[str, str], side_by_side: Sequence[Mapping[str, Any] | None]) -> Row:
    kind, name = key
    first: Mapping[str, Any] = next(line for line in side_by_side if line is not None)
    label = f"{kind}: {name}" if name and name != kind else kind
    cells = [_ABSENT if line is None else Cell(amount(line.get("usd"))) for line in side_by_side]
    note = clean(first.get("note") or "")
    return Row((Cell(label, note=note), Cell(clean(first.get("kind") or NA)), *cells))


def _sums(bills: Sequence[Mapping[str, Any]]) -> list[Row]:
    rows = [
        Row((Cell("sum"), Cell("computed"), *(Cell(amount(b.get("total_usd"))) for b in bills)), strong=True)
    ]
    people = [_people(bill) for bill in bills]
    if any(people):
        without = [
            Cell(amount(total - spent if (total := number(b.get("total_usd"))) is not None else None))
            for b, spent in zip(bills, people, strict=True)
        ]
        rows.append(Row((Cell("sum without people"), Cell("computed"), *without)))
    per = [Cell(per_task(b.get("total_usd_per_task"))) for b in bills]
    rows.append(Row((Cell("sum per task", note="USD"), Cell("computed"), *per)))
    rows.append(
        Row(
            (Cell("of it decided on"), Cell("computed"), *(Cell(amount(b.get("decided_usd"))) for b in bills))
        )
    )
    if any(number(b.get("one_off_usd")) for b in bills):
        once = [Cell(amount(b.get("one_off_usd"))) for b in bills]
        rows.append(Row((Cell("paid once", note="USD, in no month"), Cell("assumed"), *once)))
    return rows


def _people(bill: Mapping[str, Any]) -> float:
    return sum(number(line.get("usd")) or 0.0 for line in bill["lines"] if line.get("line") == "people")


def options_table(decision: Mapping[str, Any]) -> Table | None:
    """On demand, reserved, spot and mixed beside each other for the demand's own hours."""
    given = decision.get("purchase_options") or {}
    rows = [
        Row(
            (
                Cell(clean(option.get("option") or "unnamed").replace("_", " ")),
                Cell(amount(option.get("usd_per_month"))),
                Cell(whole(option.get("instance_hours_per_month"))),
                Cell(significant(option.get("usd_per_instance_hour"), 4)),
                Cell(clean(option.get("note") or NA)),
                Cell(clean(option.get("source") or NA), note=_checked(option)),
            )
        )
        for option in given.get("options") or []
    ]
    if not rows:
        return None
    return Table(
        caption="Ways to buy the same instances, cheapest first",
        columns=(
            Column("purchase", right=False),
            Column("a month", "USD"),
            Column("instance-hours", "a month"),
            Column("instance-hour", "USD"),
            Column("what that is", right=False),
            Column("source", right=False),
        ),
        rows=tuple(rows),
        notes=(f"Hours: {_hours(given)}.",),
    )


def _checked(listed: Mapping[str, Any]) -> str:
    return f"checked {clean(listed['checked_on'])}" if listed.get("checked_on") else ""


def _hours(given: Mapping[str, Any]) -> str:
    needed = [n for n in (number(v) for v in given.get("instances_by_hour") or []) if n is not None]
    said = (
        "the demand's own profile" if given.get("profile") == "demand" else clean(given.get("profile") or NA)
    )
    if not needed:
        return said
    span = (
        whole(min(needed)) if min(needed) == max(needed) else f"{whole(min(needed))} to {whole(max(needed))}"
    )
    return f"{said}; {span} {'instance' if max(needed) == 1 else 'instances'} needed over {len(needed)} hours"


def regions_table(decision: Mapping[str, Any]) -> Table | None:
    """The same instance on demand in other regions; None when only one is known."""
    rows = (decision.get("purchase_options") or {}).get("regions") or []
    if len(rows) < 2:
        return None
    return Table(
        caption="The same instance on demand elsewhere",
        columns=(
            Column("region", right=False),
            Column("instance", "USD/h"),
            Column("a month", "USD"),
            Column("checked", right=False),
        ),
        rows=tuple(
            Row(
                (
                    Cell(clean(row.get("region") or NA)),
                    Cell(price(row.get("usd_per_hour"))),
                    Cell(amount(row.get("usd_per_month"))),
                    Cell(clean(row.get("checked_on") or "date unknown")),
                )
            )
            for row in rows
        ),
    )


def projection_table(decision: Mapping[str, Any]) -> Table | None:
    """A growing volume or something paid once, over the demand's horizon; None when there is neither."""
    known = [(arm, arm["projection"]) for arm in decision.get("arms") or [] if arm.get("projection")]
    known = [(a, p) for a, p in known if number(p.get("growth_per_month")) or number(p.get("one_off_usd"))]
    if not known:
        return None
    growth = percent(known[0][1].get("growth_per_month"))
    months = len(known[0][1].get("months") or [])
    return Table(
        caption=f"{months} months ahead, the volume growing by {growth} a month",
        columns=(
            Column("API arm", right=False),
            Column("last month", "tasks"),
            Column("instances", "last month"),
            Column("self-host", "USD, last month"),
            Column("API", "USD, last month"),
            Column("paid once", "USD more than the API"),
            Column("saved by then", "USD"),
            Column("paid back", right=False),
        ),
        rows=tuple(_projection_row(arm, projected) for arm, projected in known),
    )


def _projection_row(arm: Mapping[str, Any], projected: Mapping[str, Any]) -> Row:
    last: Mapping[str, Any] = (projected.get("months") or [{}])[-1]
    month = number(projected.get("payback_month"))
    return Row(
        (
            Cell(clean(arm.get("name") or "unnamed")),
            Cell(volume(last.get("tasks"))),
            Cell(whole(last.get("instances"))),
            Cell(amount(last.get("self_usd"))),
            Cell(amount(last.get("api_usd"))),
            Cell(amount(projected.get("one_off_usd"))),
            Cell(amount(last.get("summed_saving_usd"))),
            Cell("not in these months" if month is None else f"in month {whole(month)}"),
        )
    )


def success_table(decision: Mapping[str, Any]) -> Table | None:
    """Cost of a task that really got done: attempts, what stays unsolved, the person who takes over."""
    known = [(arm, arm["success"]) for arm in decision.get("arms") or [] if arm.get("success")]
    if not known:
        return None
    rows = [
        _success_row(clean(arm.get("name") or "unnamed"), given, given.get("api")) for arm, given in known
    ]
    rows.append(_success_row("self-host", known[0][1], known[0][1].get("self_host")))
    human = number(known[0][1].get("human_usd_per_task"))
    return Table(
        caption="Cost of a task that really got done",
        columns=(
            Column("arm", right=False),
            Column("attempts", "a task"),
            Column("solved", "share of tasks"),
            Column("per task", "USD, with people"),
            Column("of it people", "USD"),
            Column("per solved task", "USD, model only"),
        ),
        rows=tuple(rows),
        notes=(
            f"A person takes over what failed, for {price(human)} USD a task (assumed)."
            if human is not None
            else "What no attempt solved costs nothing here: the demand gives no `human_usd_per_task`.",
            "The same failure rate is assumed for every arm; quality was not measured.",
        ),
    )


def _success_row(name: str, given: Mapping[str, Any], side: Mapping[str, Any] | None) -> Row:
    why = "" if side else "no volume or no goodput"
    return Row(
        (
            Cell(name),
            Cell(significant(given.get("attempts_per_task"))),
            Cell(percent(given.get("solved_share"))),
            Cell(per_task((side or {}).get("usd_per_task")), note=why),
            Cell(per_task((side or {}).get("people_usd_per_task"))),
            Cell(per_task((side or {}).get("usd_per_solved_task"))),
        )
    )
