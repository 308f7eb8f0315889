"""decision.json: a run's own goodput, priced for a demand against every arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from harness.cost.arms import Arm, choose_arms
from harness.cost.box.box import Box, price_box
from harness.cost.breakeven.decision import decide
from harness.cost.breakeven.words import sentence
from harness.cost.checks import doubts, too_many_instances
from harness.cost.extras import Run, arm_extras, bills, options, token_splits
from harness.cost.provenance import inputs_digest, provenance
from harness.demand.demand import Demand
from harness.prices.catalog import load_user_prices
from harness.prices.record import UserPrices
from harness.rundir.manifest import RunManifest

SCHEMA = 1


def build_decision(
    manifest: RunManifest,
    metrics: Mapping[str, Any],
    demand: Demand,
    arms: Sequence[str],
    *,
    prices_file: Path | None = None,
    shape_runs: Sequence[Run] = (),
) -> dict[str, Any]:
    """The object of decision.json for a measured run.

    `metrics` is the object of metrics.json; each step may carry `mean_input_tokens` and `mean_output_tokens`.
    `arms` are `provider:model` references; the frontier and the same-weights arm are always added.
    `shape_runs` are `busy_run` of runs of other shapes on the same box: they measure the input/output split.
    A run without goodput is infeasible: every verdict is never, and the sentence says why.

    Raises:
        UsageError: no price for the instance or for an arm, or a price file that cannot be read.
    """
    prices = load_user_prices(prices_file) if prices_file is not None else UserPrices()
    box = price_box(manifest.instance, metrics, prices)
    chosen = choose_arms(arms, manifest.model, demand, prices)
    priced = [_arm(arm, box, demand) for arm in chosen]
    return {
        "schema": SCHEMA,
        "demand": demand.to_dict(),
        "self_host": {**box.to_dict(), "splits": token_splits(box, shape_runs)},
        "arms": priced,
        "checks": [
            *doubts(manifest, metrics, box, chosen, demand),
            *too_many_instances(priced[0]["decision"]),
        ],
        "monthly": bills(priced, demand),
        "purchase_options": options(box, demand, priced, prices),
        "provenance": provenance(box, chosen, demand),
        "inputs_digest": inputs_digest([arm["input"] for arm in priced]),
    }


def check_prices(
    instance: Mapping[str, Any],
    arms: Sequence[str],
    demand: Demand,
    *,
    prices_file: Path | None = None,
    on: date | None = None,
) -> tuple[Box, list[Arm]]:
    """What `build_decision` will price with, before anything is measured: box (no goodput yet) and arms.

    Raises:
        UsageError: as `build_decision` would.
    """
    prices = load_user_prices(prices_file) if prices_file is not None else UserPrices()
    return price_box(instance, {}, prices), choose_arms(arms, None, demand, prices, on=on)


def decide_input(arm: Arm, box: Box, demand: Demand) -> dict[str, Any]:
    """The input of `decide` for one arm."""
    rates = arm.rates(demand)
    goodput = box.goodput or {}
    return {
        "workload": demand.workload(),
        "self_host": {
            "usd_per_hour": box.usd_per_hour,
            "goodput_requests_per_s": goodput.get("requests_per_s"),
            "goodput_low": goodput.get("low"),
            "goodput_high": goodput.get("high"),
            "max_load": demand.max_load,
            "min_instances": demand.min_instances,
            "fixed_usd_per_month": demand.fixed_usd("self_host"),
        },
        "api": {
            "input_usd_per_mtok": rates.input_usd_per_mtok,
            "cached_input_usd_per_mtok": rates.cached_input_usd_per_mtok,
            "output_usd_per_mtok": rates.output_usd_per_mtok,
            "fixed_usd_per_month": demand.fixed_usd("api"),
        },
    }


def _arm(arm: Arm, box: Box, demand: Demand) -> dict[str, Any]:
    given = decide_input(arm, box, demand)
    decided = decide(given)
    struck = decide(decide_input(arm, box, demand.without("people")))
    return {
        "name": arm.name,
        "role": arm.role,
        "label": arm.label,
        "provider": arm.provider,
        "model": arm.model,
        "price": arm.price_dict(demand),
        "input": given,
        "decision": decided,
        "sentence": sentence(given, decided),
        "decision_without_people": struck,
        "sentence_without_people": sentence(given, struck),
        **arm_extras(arm, given, decided, box, demand),
    }
