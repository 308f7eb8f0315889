"""The month's bill of each side, a line for each thing, so that a reader can strike what is not his."""

from collections.abc import Sequence

from harness.demand.demand import Demand
from harness.demand.items import FteItem, OneOffItem, Payer, usd_per_month
from harness.rundir.decide import Decided, Side
from harness.rundir.decision import Bill, BillLine, People
from harness.rundir.result import Kind


def bill(
    name: str, side: Side, decided: Decided, demand: Demand, note: str = "", fee_usd: float = 0, beside_usd: float = 0
) -> Bill | None:
    """Every line and the sum of one side at the demand's volume; None without a volume (or a goodput).

    Lines that both sides pay alike are in both bills, marked `both`; they are in no decision. `note`: of the inference;
    `fee_usd`: what this API takes whatever is asked; `beside_usd`: its tasks beside their calls.
    """
    at = decided.at_volume
    total = None if at is None else at.self_usd if side == "self_host" else at.api_usd
    if at is None or total is None:
        return None
    what = "instances" if side == "self_host" else "tokens"
    inference_usd = total - demand.fixed_usd(side) - fee_usd - beside_usd
    lines = [_line("inference", what, inference_usd, side, "computed", note)]
    if fee_usd:
        lines.append(_line("fee", "the arm's own fee", fee_usd, side, "assumed"))
    if beside_usd:
        lines.append(_line("unsolved", "who takes over what stays unsolved", beside_usd, side, "computed"))
    stated = demand.self_fixed_usd_per_month if side == "self_host" else demand.api_fixed_usd_per_month
    if stated:
        lines.append(_line("infrastructure", "fixed costs", stated, side, "assumed"))
    for item in demand.items:
        if item.arm in (side, "both") and not isinstance(item, OneOffItem):
            usd = usd_per_month(item, at.tasks_per_month)
            lines.append(_line(item.line, item.name, usd, item.arm, "assumed", item.note))
    summed = sum(line.usd for line in lines)
    return Bill(
        name=name,
        lines=tuple(lines),
        total_usd=summed,
        total_usd_per_task=summed / at.tasks_per_month if at.tasks_per_month > 0 else None,
        decided_usd=total,
        one_off_usd=one_off_usd(demand, side),
    )


def _line(line: str, name: str, usd: float, arm: Payer, kind: Kind, note: str = "") -> BillLine:
    return BillLine(line=line, name=name, usd=usd, arm=arm, kind=kind, note=note)


def one_off_usd(demand: Demand, side: Side) -> float:
    """What one side pays once."""
    return sum(item.usd for item in demand.items if isinstance(item, OneOffItem) and item.arm in (side, "both"))


def people_of(demand: Demand) -> People:
    """The part of self-hosting's fixed costs that is people."""
    tasks = demand.tasks_per_month or 0
    items = [item for item in demand.items if item.line == "people" and item.arm == "self_host"]
    paid = [item for item in items if usd_per_month(item, tasks)]
    persons = [item for item in paid if isinstance(item, FteItem)]
    fte = [item.fraction for item in persons]
    return People(
        usd_per_month=sum(usd_per_month(item, tasks) for item in paid),
        fte=sum(fte) if len(fte) == len(paid) else None,
        assumed=any(item.assumed for item in paid),
        assumed_usd_per_year=_assumed_pay(persons),
        assumed_pay_fte=None if all(item.pay_assumed for item in persons) else _assumed_fte(persons),
    )


def _assumed_pay(persons: Sequence[FteItem]) -> float | None:
    """The year's pay that is nobody's own figure, of all of them or of some."""
    pays = {item.loaded_usd_per_year for item in persons if item.pay_assumed}
    return pays.pop() if len(pays) == 1 else None


def _assumed_fte(persons: Sequence[FteItem]) -> float | None:
    """How many of them have no pay of their own; None: nobody."""
    return sum(item.fraction for item in persons if item.pay_assumed) or None
