"""The month line by line, the ways to buy the same instances, a growing volume, and cost per solved task."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.rounding import NA, amount, exact_volume, significant, volume, whole
from harness.report.model import Cell, Column, Row, Table
from harness.report.money.money import checked_words
from harness.report.text import clean, count, per_task, percent, price
from harness.rundir.decision import Bill, BillLine, Decision, PurchaseOptions, Success, SuccessCost
from harness.rundir.whatif import Projection

_ABSENT = Cell("–", tone="muted")  # not on this side's bill at all, which is no unknown


def bill_table(decision: Decision) -> Table | None:
    """Every line of the month's bill, the box and each API beside each other, with the lines' sum."""
    bills, tasks = decision.monthly, decision.tasks_per_month
    if not bills or tasks is None:
        return None
    lines: dict[tuple[str, str], list[BillLine | None]] = {}
    for i, bill in enumerate(bills):
        for line in bill.lines:
            lines.setdefault(_key(line), [None] * len(bills))[i] = line
    rows = [_line_row(key, side_by_side) for key, side_by_side in lines.items()]
    columns = [Column("line", right=False), Column("origin", right=False)]
    columns += [Column(_side(bill), "USD a month") for bill in bills]
    return Table(
        caption=f"The month, line by line, at {exact_volume(tasks)} tasks",
        columns=tuple(columns),
        rows=(*rows, *_sums(bills)),
        notes=(
            "Strike what is not yours. Lines that both sides pay alike are in the sum and in no decision; "
            "a dash: not on that side's bill.",
        ),
    )


def _key(line: BillLine) -> tuple[str, str]:
    kind = clean(line.line).replace("_", " ")
    # the box calls it instances, an API tokens; both are the inference
    return kind, "" if kind == "inference" else clean(line.name)


def _side(bill: Bill) -> str:
    return "self-host" if bill.name == "self_host" else clean(bill.name)


def _line_row(key: tuple[str, str], side_by_side: Sequence[BillLine | None]) -> Row:
    kind, name = key
    first = next(line for line in side_by_side if line is not None)
    label = f"{kind}: {name}" if name and name != kind else kind
    cells = [_ABSENT if line is None else Cell(amount(line.usd)) for line in side_by_side]
    return Row((Cell(label, note=clean(first.note)), Cell(first.kind), *cells))


def _sums(bills: Sequence[Bill]) -> list[Row]:
    people = [sum(line.usd for line in bill.lines if line.line == "people") for bill in bills]
    rows = [_sum_row("sum", [amount(bill.total_usd) for bill in bills], strong=True)]
    if any(people):
        without = [amount(bill.total_usd - spent) for bill, spent in zip(bills, people, strict=True)]
        rows.append(_sum_row("sum without people", without))
    rows.append(_sum_row("sum per task", [per_task(bill.total_usd_per_task) for bill in bills], note="USD"))
    rows.append(_sum_row("of it decided on", [amount(bill.decided_usd) for bill in bills]))
    if any(bill.one_off_usd for bill in bills):
        once = [Cell(amount(bill.one_off_usd)) for bill in bills]
        rows.append(Row((Cell("paid once", note="USD, in no month"), Cell("assumed"), *once)))
    return rows


def _sum_row(what: str, amounts: Sequence[str], *, note: str = "", strong: bool = False) -> Row:
    return Row((Cell(what, note=note), Cell("computed"), *map(Cell, amounts)), strong=strong)


def options_table(decision: Decision) -> Table | None:
    """On demand, reserved, spot and mixed beside each other for the demand's own hours."""
    given = decision.purchase_options
    if given is None:
        return None
    rows = [
        Row(
            (
                Cell(clean(option.option).replace("_", " ")),
                Cell(amount(option.usd_per_month)),
                Cell(whole(option.instance_hours_per_month)),
                Cell(significant(option.usd_per_instance_hour, 4)),
                Cell(clean(option.note)),
                Cell(clean(option.source or NA), note=checked_words(option.checked_on)),
            )
        )
        for option in given.options
    ]
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


def _hours(given: PurchaseOptions) -> str:
    said = "the demand's own profile" if given.profile == "demand" else clean(given.profile)
    fewest, most = min(given.instances_by_hour), max(given.instances_by_hour)
    needed = count(most, "instance") if fewest == most else f"{fewest:,} to {count(most, 'instance')}"
    return f"{said}; {needed} needed over {len(given.instances_by_hour)} hours"


def regions_table(decision: Decision) -> Table | None:
    """The same instance on demand in other regions; None when only one is known."""
    given = decision.purchase_options
    if given is None or len(given.regions) < 2:
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
                    Cell(clean(row.region or NA)),
                    Cell(price(row.usd_per_hour)),
                    Cell(amount(row.usd_per_month)),
                    Cell(row.checked_on.isoformat() if row.checked_on else "date unknown"),
                )
            )
            for row in given.regions
        ),
    )


def projection_table(decision: Decision) -> Table | None:
    """A growing volume or something paid once, over the demand's horizon; None when there is neither."""
    known = [(clean(arm.name), arm.projection) for arm in decision.arms if arm.projection is not None]
    known = [(name, ahead) for name, ahead in known if ahead.growth_per_month or ahead.one_off_usd]
    if not known:
        return None
    first = known[0][1]
    return Table(
        caption=(f"{len(first.months)} months ahead, the volume growing by {percent(first.growth_per_month)} a month"),
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
        rows=tuple(_projection_row(name, ahead) for name, ahead in known),
    )


def _projection_row(name: str, ahead: Projection) -> Row:
    last, month = ahead.months[-1], ahead.payback_month
    return Row(
        (
            Cell(name),
            Cell(volume(last.tasks)),
            Cell(whole(last.instances)),
            Cell(amount(last.self_usd)),
            Cell(amount(last.api_usd)),
            Cell(amount(ahead.one_off_usd)),
            Cell(amount(last.summed_saving_usd)),
            Cell("not in these months" if month is None else f"in month {month}"),
        )
    )


def success_table(decision: Decision) -> Table:
    """Cost of a task that really got done: attempts, what stays unsolved, the person who takes over."""
    rows = [_success_row(clean(arm.name), arm.success, arm.success.api) for arm in decision.arms]
    given = decision.arms[0].success
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
        rows=(*rows, _success_row("self-host", given, given.self_host)),
        notes=(
            f"A person takes over what failed, for {price(given.human_usd_per_task)} USD a task (assumed)."
            if given.human_usd_per_task is not None
            else "What no attempt solved costs nothing here: the demand gives no `human_usd_per_task`.",
            "The same failure rate is assumed for every arm; quality was not measured.",
        ),
    )


def _success_row(name: str, given: Success, side: SuccessCost | None) -> Row:
    usd = (side.usd_per_task, side.people_usd_per_task, side.usd_per_solved_task) if side else [None] * 3
    per, people, solved = map(per_task, usd)
    return Row(
        (
            Cell(name),
            Cell(significant(given.attempts_per_task)),
            Cell(percent(given.solved_share)),
            Cell(per, note="" if side else "no volume or no goodput"),
            Cell(people),
            Cell(solved),
        )
    )
