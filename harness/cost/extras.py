"""What a decision carries beside the verdicts: options, sensitivity, simulation, bills, where numbers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.cost.api_rates import usd_per_call
from harness.cost.arms import Arm
from harness.cost.bill import bill, one_off_usd, people_usd
from harness.cost.box.box import Box
from harness.cost.box.purchase import Terms, fleet_for, purchase_options
from harness.cost.box.splits import ASSUMED_RATIO, measured_output_weight, splits
from harness.cost.breakeven.decision import attempts_per_task
from harness.cost.breakeven.inputs import parse
from harness.cost.breakeven.success import success_costs
from harness.cost.whatif.projection import projection
from harness.cost.whatif.sensitivity import sensitivity
from harness.cost.whatif.uncertainty import simulate, spreads
from harness.demand.demand import Demand
from harness.prices.catalog import load_instances
from harness.prices.record import Quote, UserPrices

Run = tuple[float, float, float]  # busy seconds, input tokens, output tokens


def arm_extras(
    arm: Arm, given: Mapping[str, Any], decided: dict[str, Any], box: Box, demand: Demand
) -> dict[str, Any]:
    """Cost by class, sensitivity, simulation, projection and cost per solved task of one arm."""
    inputs, people = parse(given), people_usd(demand)
    uncertain = spreads(
        inputs,
        people_usd=people,
        ranges=demand.ranges,
        spot_range=_spot_range(box),
        confidence=(box.goodput or {}).get("confidence"),
    )
    return {
        "classes": _by_class(arm, demand),
        "sensitivity": sensitivity(inputs, people_usd=people, ranges=demand.ranges),
        "monte_carlo": simulate(inputs, uncertain),
        "projection": projection(
            inputs,
            growth_per_month=demand.growth_per_month,
            months=demand.horizon_months,
            one_off_usd=one_off_usd(demand, "self_host") - one_off_usd(demand, "api"),
        ),
        "success": success_costs(decided, demand.human_usd_per_task, demand.response_cache_hit_rate),
    }


def _by_class(arm: Arm, demand: Demand) -> list[dict[str, Any]]:
    """What a call of each class costs at the arm's listed prices: share of the tasks, mean tokens, USD."""
    total = sum(c.weight for c in demand.classes)
    rows = []
    for kind in demand.classes:
        requests = [{**row, "weight": 1.0} for row in kind.requests()]  # a class of weight 0 has a price too
        mean = sum(row["input_tokens"] for row in requests) / len(requests)
        usd = sum(calls * usd_per_call(price, requests, demand.tokens_ratio) for calls, price in arm.parts)
        rows.append(
            {
                "name": kind.name,
                "share": kind.weight / total,
                "input_tokens": mean,
                "output_tokens": kind.output_tokens,
                "turns": len(requests),
                "usd_per_task": usd,
            }
        )
    return rows


def _spot_range(box: Box) -> tuple[float, float] | None:
    known = box.instance.spot_range_usd_per_hour if box.instance else None
    return known if box.purchase == "spot" and box.kind == "listed" else None


def bills(arms: Sequence[Mapping[str, Any]], demand: Demand) -> list[dict[str, Any]]:
    """The month of the box and of each arm, line by line; empty without a volume."""
    if not arms:
        return []
    months = [("self_host", bill("self_host", arms[0]["decision"], demand))]
    months += [(arm["name"], bill("api", arm["decision"], demand)) for arm in arms]
    return [{"name": name, **month} for name, month in months if month is not None]


def options(
    box: Box, demand: Demand, arms: Sequence[Mapping[str, Any]], prices: UserPrices
) -> dict[str, Any] | None:
    """Ways to buy what the demand's profile needs, and the same instance elsewhere; None without volume or goodput.

    `saving_usd` of each option is what it saves a month against each arm, fixed costs of both sides included.

    A peak without a profile says nothing about the hours: then every hour is taken as the peak.
    """
    inputs = parse(arms[0]["input"])
    tasks, goodput = demand.tasks_per_month, inputs.self_host.goodput_requests_per_s
    if tasks is None or not goodput:
        return None
    work = inputs.workload
    calls = tasks * attempts_per_task(work) * (1 - work.response_cache_hit_rate)
    profile = work.hourly_profile
    if profile is None:
        calls, profile = calls * work.peak(), [1.0] * 24
    fleet = fleet_for(calls, profile, demand.max_load * goodput, demand.min_instances)
    if fleet is None:
        return None
    quotes = dict(box.instance.quotes if box.instance else {})
    quotes[box.purchase] = Quote(box.usd_per_hour, box.source, box.checked_on)
    terms = Terms(demand.startup_minutes, demand.spot_interruptions_per_hour, demand.spot_recovery_minutes)
    return {
        "instances_by_hour": list(fleet.by_hour),
        "profile": "demand" if work.hourly_profile is not None else "none given: every hour is the peak",
        "options": [
            {**row, "saving_usd": _savings(row["usd_per_month"], arms, demand)}
            for row in purchase_options(quotes, fleet, terms)
        ],
        "regions": _regions(box, prices, fleet.static_hours()),
    }


def _savings(usd: float | None, arms: Sequence[Mapping[str, Any]], demand: Demand) -> dict[str, float] | None:
    if usd is None:
        return None
    own = usd + demand.fixed_usd("self_host")
    return {arm["name"]: arm["decision"]["at_volume"]["api_usd"] - own for arm in arms}


def _regions(box: Box, prices: UserPrices, instance_hours: float) -> list[dict[str, Any]]:
    """The same instance on demand in every region that has a price, cheapest first."""
    rows = [
        {
            "region": instance.region,
            "usd_per_hour": quote.usd_per_hour,
            "usd_per_month": instance_hours * quote.usd_per_hour,
            "checked_on": quote.checked_on.isoformat() if quote.checked_on else None,
        }
        for instance in load_instances(prices)
        if instance.id == box.id and (quote := instance.quotes.get("on_demand")) is not None
    ]
    return sorted(rows, key=lambda row: row["usd_per_hour"])


def token_splits(box: Box, shape_runs: Sequence[Run]) -> dict[str, Any] | None:
    """USD per Mtok of input and output at the SLO's step in three conventions; the weight measured where it can be."""
    at = box.usd_per_mtok["at_slo"] or box.usd_per_mtok["at_peak"]
    if at is None or not at["input_tokens_per_s"]:
        return None
    measured = measured_output_weight(shape_runs)
    weight = measured["output_weight"] if measured else ASSUMED_RATIO
    rows = splits(
        box.usd_per_hour,
        at["input_tokens_per_s"],
        at["output_tokens_per_s"],
        output_weight=weight,
        weight_from=f"measured over {measured['runs']} runs" if measured else "assumed",
    )
    return {"step": at["step"], "conventions": rows, "measured_weight": measured}


def busy_run(metrics: Mapping[str, Any]) -> Run | None:
    """(seconds, input tokens, output tokens) of a run's busiest step, for `shape_runs`; None when it does not say."""
    busy = [
        s for s in metrics.get("steps", ()) if s.get("output_tokens_per_s") and s.get("input_tokens_per_s")
    ]
    step = max(busy, key=lambda s: float(s["output_tokens_per_s"]), default=None)
    window = (step or {}).get("window") or {}
    if step is None or window.get("start_s") is None or window.get("end_s") is None:
        return None
    seconds = window["end_s"] - window["start_s"]
    return seconds, step["input_tokens_per_s"] * seconds, step["output_tokens_per_s"] * seconds
