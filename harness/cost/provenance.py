"""Where every number of a decision comes from: measured, listed by someone on a date, or assumed by someone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.cost.arms import Arm
from harness.cost.box.box import Box
from harness.demand.demand import Demand
from harness.prices.record import ApiPrice

Fact = dict[str, Any]


def _fact(what: str, value: float | None, unit: str, kind: str, source: str, date: str | None = None) -> Fact:
    return {"what": what, "value": value, "unit": unit, "kind": kind, "source": source, "date": date}


def provenance(box: Box, arms: Sequence[Arm], demand: Demand) -> list[Fact]:
    """One fact for each number that went in: what, value, unit, kind, source, date."""
    return [*_box(box), *(fact for arm in arms for fact in _prices(arm)), *_demand(demand)]


def _box(box: Box) -> list[Fact]:
    checked = box.checked_on.isoformat() if box.checked_on else None
    facts = [_fact(f"{box.id} {box.purchase}", box.usd_per_hour, "USD/h", box.kind, box.source, checked)]
    goodput = box.goodput
    if goodput is None:
        return [
            *facts,
            _fact("goodput", None, "requests/s", "measured", "no load step met the latency limits"),
        ]
    where = "this run" if goodput.get("step") is None else f"step {goodput['step'] + 1} of this run"
    if box.replicas > 1:
        facts.append(_fact("engines on the instance", box.replicas, "", "assumed", "given with the run"))
        where += f", taken {box.replicas} times"
    return [*facts, _fact("goodput", goodput["requests_per_s"], "requests/s", "measured", where)]


def _prices(arm: Arm) -> list[Fact]:
    facts = []
    for _, price in arm.parts:
        name, source = f"{price.provider}:{price.model}", _source(price)
        checked = price.checked_on.isoformat() if price.checked_on else None
        rates = price.rates
        for what, usd in (
            ("input", rates.input_usd_per_mtok),
            ("cached input", rates.cached_input_usd_per_mtok),
            ("output", rates.output_usd_per_mtok),
        ):
            if usd is not None:
                facts.append(_fact(f"{name} {what}", usd, "USD/Mtok", price.kind, source, checked))
    return facts


def _source(price: ApiPrice) -> str:
    return " ".join(part for part in (price.source, price.version, (price.digest or "")[:12]) if part)


_WORK = (
    ("tasks_per_month", "tasks"),
    ("retry_failure_rate", "share"),
    ("max_retries", ""),
    ("response_cache_hit_rate", "share"),
    ("peak_to_mean", ""),
    ("max_load", "share"),
    ("min_instances", ""),
    ("tokens_ratio", "API tokens for one of ours"),
    ("batch_share", "share"),
    ("human_usd_per_task", "USD"),
    ("startup_minutes", "min"),
    ("spot_interruptions_per_hour", "1/h"),
    ("spot_recovery_minutes", "min"),
)


def _demand(demand: Demand) -> list[Fact]:
    """The demand's numbers: assumed by its file where it says them, by Breakeven where it does not."""
    said, file = demand.model_fields_set, f"demand {demand.name}"
    facts = [
        _fact(name, getattr(demand, name), unit, "assumed", file if name in said else "default")
        for name, unit in _WORK
    ]
    tokens = demand.mean_tokens()
    facts += [_fact("mean input", tokens[0], "tokens", "assumed", file)]
    facts += [_fact("mean output", tokens[1], "tokens", "assumed", file)]
    return facts


def inputs_digest(inputs: Sequence[Mapping[str, Any]]) -> str:
    """sha256 of the decide inputs, in order: equal digest, equal decision."""
    return hashlib.sha256(json.dumps(list(inputs), sort_keys=True).encode()).hexdigest()
