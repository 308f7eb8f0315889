"""Checks on the money: was the goodput measured on the demand's own shape, are the prices fresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from harness.cost.arms import Arm
from harness.cost.box.box import Box
from harness.cost.box.memory import kv_room_tokens
from harness.cost.box.plausible import ceiling_tokens_per_s, parameters_of, weights_do_not_fit
from harness.demand.demand import Demand
from harness.prices.crosscheck import differences
from harness.prices.record import STALE_AFTER_DAYS, age_days
from harness.rundir.manifest import RunManifest

SHAPE_TOLERANCE = 0.10  # of the demand's mean tokens
MANY_INSTANCES = 10_000

Check = dict[str, Any]


def doubts(
    manifest: RunManifest, metrics: Mapping[str, Any], box: Box, arms: Sequence[Arm], demand: Demand
) -> list[Check]:
    """Every doubt about the decision, errors first."""
    today = datetime.now(UTC).date()
    found = [
        *_shape(box, demand, metrics),
        *_possible(box, manifest.model, manifest.quantization),
        *_cache_room(box, manifest, metrics),
        *_prices(box, arms, today),
        *_second_opinions(arms),
        *_sizes(box, arms, demand),
    ]
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


def _possible(box: Box, model: str | None, quantization: str | None) -> list[Check]:
    """Weights that cannot be in the GPUs' memory, and tokens/s above what the GPUs can compute."""
    if model is None or box.instance is None:
        return []
    reason = weights_do_not_fit(model, quantization, box.instance)
    if reason is not None:
        hint = "is --instance the box that really served the run?"
        return [check("weights_do_not_fit", "error", f"{model} cannot have run there: {reason}", hint)]
    size, peak = parameters_of(model), box.usd_per_mtok["at_peak"]
    ceiling = ceiling_tokens_per_s(size.active, box.instance) if size else None
    if ceiling is None or peak is None:
        return []
    reached = peak["output_tokens_per_s"] + (peak["input_tokens_per_s"] or 0)
    if reached <= ceiling:
        return []
    message = f"{reached:,.0f} tokens/s of {model} are above the {ceiling:,.0f} that {box.id} can compute in 16 bits"
    hint = "a prefix cache, 8-bit arithmetic, the wrong instance, or a wrong token count"
    return [check("implausible_throughput", "warning", message, hint)]


def _cache_room(box: Box, manifest: RunManifest, metrics: Mapping[str, Any]) -> list[Check]:
    """Users whose requests the KV cache cannot hold at once: some of them wait, or are preempted."""
    if manifest.model is None or box.instance is None:
        return []
    replicas = max(box.replicas, 1)  # equal ones, of which one was driven
    room = kv_room_tokens(manifest.model, manifest.quantization, box.instance, replicas)
    if room is None:
        return []
    for step in metrics.get("steps", ()):
        users = (step.get("load") or {}).get("users")
        lengths = step.get("mean_input_tokens"), step.get("mean_output_tokens")
        if users is None or None in lengths:
            continue
        tokens = sum(length for length in lengths if length is not None)
        if users * replicas * tokens > max(room, 0.0):
            message = (
                f"{users} requests of {tokens:,.0f} tokens at once need {users * tokens:,.0f} tokens of KV cache,"
                f" {box.id} has room for at most {max(room, 0.0) / replicas:,.0f} beside the weights"
            )
            hint = "from that load on requests wait or are preempted: that is the box, not the engine"
            return [check("kv_cache_full", "warning", message, hint)]
    return []


def _second_opinions(arms: Sequence[Arm]) -> list[Check]:
    found = {d.name + d.which: d for arm in arms for _, price in arm.parts for d in differences(price)}
    return [
        check(
            "prices_disagree",
            "warning",
            f"{d.name}: {d.which} is {d.first:g} USD per Mtok here and {d.second:g} in {d.second_source}",
            "look it up at the provider, and settle it in a file for --prices",
        )
        for d in found.values()
    ]


def _sizes(box: Box, arms: Sequence[Arm], demand: Demand) -> list[Check]:
    found = []
    if box.replicas > 1:
        message = f"one engine was driven and its goodput taken {box.replicas} times for {box.id}: assumed"
        found.append(check("replicas_assumed", "warning", message, "drive all of them: --url once for each"))
    if demand.batch_share > 0:
        without = [arm.name for arm in arms if not all(price.batch for _, price in arm.parts)]
        if without:
            message = f"no batch price is listed for {', '.join(without)}: the standard price is used"
            found.append(check("no_batch_price", "warning", message))
    return found


def too_many_instances(decided: Mapping[str, Any]) -> list[Check]:
    """A volume that takes more boxes than anybody rents."""
    at = decided["at_volume"]
    if at is None or at["instances"] is None or at["instances"] <= MANY_INSTANCES:
        return []
    message = f"{at['tasks_per_month']:,.0f} tasks a month would take {at['instances']:,} instances"
    return [check("many_instances", "warning", message, "check `tasks_per_month` and the measured goodput")]
