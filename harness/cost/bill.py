"""The month's bill of each side, a line for each thing, so that a reader can strike what is not his."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness.demand.demand import Demand
from harness.demand.items import OneOffItem, usd_per_month

Side = Literal["self_host", "api"]


def bill(side: Side, decided: Mapping[str, Any], demand: Demand) -> dict[str, Any] | None:
    """Every line and the sum of one side at the demand's volume; None without a volume (or a goodput).

    Lines that both sides pay alike are in both bills, marked `both`; they are in no decision.
    """
    at = decided["at_volume"]
    if at is None or (side == "self_host" and at["self_usd"] is None):
        return None
    own = demand.fixed_usd(side)
    total = at["self_usd"] if side == "self_host" else at["api_usd"]
    lines = [
        _line("inference", "instances" if side == "self_host" else "tokens", total - own, side, "computed")
    ]
    stated = demand.self_fixed_usd_per_month if side == "self_host" else demand.api_fixed_usd_per_month
    if stated:
        lines.append(_line("infrastructure", "fixed costs", stated, side, "assumed"))
    for item in demand.items:
        if item.arm in (side, "both") and not isinstance(item, OneOffItem):
            usd = usd_per_month(item, at["tasks_per_month"])
            lines.append(_line(item.line, item.name, usd, item.arm, "assumed", item.note))
    tasks, usd = at["tasks_per_month"], sum(line["usd"] for line in lines)
    return {
        "lines": lines,
        "total_usd": usd,
        "total_usd_per_task": usd / tasks if tasks > 0 else None,
        "decided_usd": total,
        "one_off_usd": one_off_usd(demand, side),
    }


def _line(line: str, name: str, usd: float, arm: str, kind: str, note: str = "") -> dict[str, Any]:
    return {"line": line, "name": name, "usd": usd, "arm": arm, "kind": kind, "note": note}


def one_off_usd(demand: Demand, side: Side) -> float:
    """What one side pays once."""
    return sum(
        item.usd for item in demand.items if isinstance(item, OneOffItem) and item.arm in (side, "both")
    )


def people_usd(demand: Demand) -> float:
    """The part of self-hosting's fixed costs that is people."""
    tasks = demand.tasks_per_month or 0
    items = [item for item in demand.items if item.line == "people" and item.arm == "self_host"]
    return sum(usd_per_month(item, tasks) for item in items)
