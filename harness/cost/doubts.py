"""Checks on the money: was the goodput measured on the demand's own shape, are the prices fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from harness.cost.arms import Arm
from harness.cost.box import Box
from harness.demand import Demand
from harness.prices.record import STALE_AFTER_DAYS, age_days

SHAPE_TOLERANCE = 0.10  # of the demand's mean tokens
MANY_INSTANCES = 10_000

Check = dict[str, Any]


def doubts(
    box: Box, arms: Sequence[Arm], demand: Demand, metrics: Mapping[str, Any], today: date
) -> list[Check]:
    """Every doubt about the decision, errors first."""
    found = [*_shape(box, demand, metrics), *_prices(box, arms, today), *_goodput(box)]
    return sorted(found, key=lambda check: check["level"] != "error")


def check(code: str, level: str, message: str, hint: str | None = None) -> Check:
    """One finding, in the shape that metrics.json uses too."""
    return {"code": code, "level": level, "message": message, "hint": hint}


def _shape(box: Box, demand: Demand, metrics: Mapping[str, Any]) -> list[Check]:
    measured = _measured_shape(box, metrics)
    if measured is None:
        return [
            check(
                "demand_shape_unknown",
                "warning",
                "the run does not say how long its requests were: they may have had another shape",
            )
        ]
    off = [
        f"{what} {got:,.0f} tokens where the demand has {wanted:,.0f}"
        for what, got, wanted in zip(("input", "output"), measured, demand.mean_tokens(), strict=True)
        if abs(got - wanted) > SHAPE_TOLERANCE * wanted
    ]
    if not off:
        return []
    return [
        check(
            "demand_shape_differs",
            "error",
            f"the goodput was measured on requests of another shape: {'; '.join(off)}",
            "measure with the demand's lengths (prompts.input_tokens, output_tokens), or price another",
        )
    ]


def _measured_shape(box: Box, metrics: Mapping[str, Any]) -> tuple[float, float] | None:
    """Mean input and output tokens of a request at the goodput's step, else at the first that knows."""
    steps = list(metrics.get("steps", ()))
    best = (box.goodput or {}).get("step")
    for step in sorted(steps, key=lambda s: s["step"] != best):
        lengths = step.get("mean_input_tokens"), step.get("mean_output_tokens")
        if lengths[0] is not None and lengths[1] is not None:
            return lengths[0], lengths[1]
    return None


def _prices(box: Box, arms: Sequence[Arm], today: date) -> list[Check]:
    found = []
    if box.kind == "listed":
        found += _age(f"{box.id} {box.purchase.replace('_', ' ')}", box.checked_on, today)
    unique = {price.provider + ":" + price.model: price for arm in arms for _, price in arm.parts}
    old: dict[date | None, list[str]] = {}
    for name, price in unique.items():
        old.setdefault(price.checked_on, []).append(name)
    for checked_on, names in old.items():
        found += _age(", ".join(names), checked_on, today)
    return found


def _age(what: str, checked_on: date | None, today: date) -> list[Check]:
    age = age_days(checked_on, today)
    hint = "`breakeven prices check` lists them; a file for --prices wins over every listed price"
    if age is None:
        return [
            check("price_date_unknown", "warning", f"nobody noted when the price of {what} was checked", hint)
        ]
    if age > STALE_AFTER_DAYS:
        return [
            check(
                "stale_price",
                "warning",
                f"the price of {what} was checked {checked_on}, {age} days ago",
                hint,
            )
        ]
    return []


def _goodput(box: Box) -> list[Check]:
    if box.replicas > 1:
        return [
            check(
                "replicas_assumed",
                "warning",
                f"one engine was driven and its goodput taken {box.replicas} times for {box.id}: assumed",
                "drive all of them: --url once for each",
            )
        ]
    return []
