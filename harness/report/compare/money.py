"""What each run's box costs and from where it pays, a row a run: the question that is asked after "which engine?"."""

from collections.abc import Callable, Sequence

from harness.base.rounding import NA, amount
from harness.report.compare.parity import Difference
from harness.report.compare.standing import Standing
from harness.report.model import Cell, Field, RunFiles, Table, table_of
from harness.report.money.money import at_volume_words, wins_from
from harness.report.text import clean, price
from harness.rundir.decision import Decision

_Row = tuple[Standing, RunFiles]


def money_table(rows: Sequence[_Row], differences: Sequence[Difference]) -> Table | None:
    """A row a run with the month of its box and "wins from" against each API; None where none was priced."""
    priced = [run.decision for _, run in rows if run.decision is not None]
    if not priced:
        return None
    arms = list(dict.fromkeys(arm.name for decision in priced for arm in decision.arms))
    volumes = {at_volume_words(decision) for decision in priced}
    people: Field[_Row] = ("people", "USD a month", lambda row: _of(row[1], _people))
    differing = ", ".join(difference.what for difference in differences)
    return table_of(
        f"What each box costs, {volumes.pop() if len(volumes) == 1 else 'each at its own volume'}, and from how many"
        " tasks a month self-hosting wins",
        list(rows),
        ("run", None, lambda row: row[0].label),
        ("box", "USD an hour", lambda row: _of(row[1], lambda d: price(d.self_host.instance.usd_per_hour))),
        ("self-host", "USD a month", lambda row: _of(row[1], _month)),
        *((people,) if len({_people(decision) for decision in priced}) > 1 else ()),
        *((clean(name), "wins from", _wins(name)) for name in arms),
        notes=(f"Not the same: {differing}.",) if differing else (),
    )


def _of(run: RunFiles, show: Callable[[Decision], str]) -> Cell:
    return Cell("not priced", tone="muted") if run.decision is None else Cell(show(run.decision))


def _month(decision: Decision) -> str:
    at = decision.arms[0].decision.at_volume
    return NA if at is None or at.self_usd is None else amount(at.self_usd)


def _people(decision: Decision) -> str:
    return NA if decision.people is None else amount(decision.people.usd_per_month)


def _wins(name: str) -> Callable[[_Row], Cell]:
    def cell(row: _Row) -> Cell:
        decision = row[1].decision
        arm = None if decision is None else next((one for one in decision.arms if one.name == name), None)
        return Cell("not compared", tone="muted") if arm is None else Cell(wins_from(arm.decision))

    return cell
