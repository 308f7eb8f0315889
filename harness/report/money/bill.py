"""The month line by line, the ways to buy the same instances, a growing volume, and cost per solved task."""

from collections.abc import Callable, Sequence

from harness.base.rounding import NA, amount, significant, tasks_words, volume, whole
from harness.report.model import Cell, Column, Row, Table, table_of
from harness.report.money.money import checked_words
from harness.report.text import clean, count, per_task, percent, price
from harness.rundir.decision import Bill, BillLine, Decision, PurchaseOptions
from harness.rundir.success import Success, SuccessCost

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
        caption=f"The month, line by line, at {tasks_words(tasks)}",
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
    return table_of(
        "Ways to buy the same instances, cheapest first",
        given.options,
        ("purchase", None, lambda option: clean(option.option).replace("_", " ")),
        ("a month", "USD", lambda option: amount(option.usd_per_month)),
        ("instance-hours", "a month", lambda option: whole(option.instance_hours_per_month)),
        ("instance-hour", "USD", lambda option: significant(option.usd_per_instance_hour, 4)),
        ("what that is", None, lambda option: clean(option.note)),
        ("source", None, lambda option: Cell(clean(option.source or NA), checked_words(option.checked_on))),
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
    return table_of(
        "The same instance on demand elsewhere",
        given.regions,
        ("region", None, lambda row: clean(row.region or NA)),
        ("instance", "USD/h", lambda row: price(row.usd_per_hour)),
        ("a month", "USD", lambda row: amount(row.usd_per_month)),
        ("checked", None, lambda row: row.checked_on.isoformat() if row.checked_on else "date unknown"),
    )


def projection_table(decision: Decision) -> Table | None:
    """A growing volume or something paid once, over the demand's horizon; None when there is neither."""
    known = [(clean(arm.name), arm.projection) for arm in decision.arms if arm.projection is not None]
    known = [(name, ahead) for name, ahead in known if ahead.growth_per_month or ahead.one_off_usd]
    if not known:
        return None
    growth, months = percent(known[0][1].growth_per_month), len(known[0][1].months)
    return table_of(
        f"{months} months ahead, the volume growing by {growth} a month",
        [(name, ahead, ahead.months[-1]) for name, ahead in known],
        ("API arm", None, lambda row: row[0]),
        ("last month", "tasks", lambda row: volume(row[2].tasks)),
        ("instances", "last month", lambda row: whole(row[2].instances)),
        ("self-host", "USD, last month", lambda row: amount(row[2].self_usd)),
        ("API", "USD, last month", lambda row: amount(row[2].api_usd)),
        ("paid once", "USD more than the API", lambda row: amount(row[1].one_off_usd)),
        ("saved by then", "USD", lambda row: amount(row[2].summed_saving_usd)),
        ("paid back", None, lambda row: _paid_back(row[1].payback_month)),
    )


def _paid_back(month: int | None) -> str:
    return "not in these months" if month is None else f"in month {month}"


def plain_success_table(decision: Decision) -> Table:
    """Cost of a task that really got done: attempts, what stays unsolved, the person who takes over."""
    given = decision.arms[0].success
    sides = [(clean(arm.name), arm.success, arm.success.api) for arm in decision.arms]
    rows: list[tuple[str, Success, SuccessCost | None]] = [*sides, ("self-host", given, given.self_host)]
    return table_of(
        "Cost of a task that really got done",
        rows,
        ("arm", None, lambda row: row[0]),
        ("attempts", "a task", lambda row: significant(row[1].attempts_per_task)),
        ("solved", "share of tasks", lambda row: percent(row[1].solved_share)),
        ("per task", "USD, with people", lambda row: _usd(row[2], lambda side: side.usd_per_task, _NO_SIDE)),
        ("of it people", "USD", lambda row: _usd(row[2], lambda side: side.people_usd_per_task)),
        ("per solved task", "USD, model only", lambda row: _usd(row[2], lambda side: side.usd_per_solved_task)),
        notes=(
            f"A person takes over what failed, for {price(given.human_usd_per_task)} USD a task (assumed)."
            if given.human_usd_per_task is not None
            else "What no attempt solved costs nothing here: the demand gives no `human_usd_per_task`.",
            "The same failure rate is assumed for every arm; quality was not measured.",
        ),
    )


_NO_SIDE = "no volume or no goodput"


def _usd(side: SuccessCost | None, of: Callable[[SuccessCost], float | None], why_not: str = "") -> Cell:
    return Cell(per_task(None), note=why_not) if side is None else Cell(per_task(of(side)))
