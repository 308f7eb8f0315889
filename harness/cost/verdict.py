"""decision.json: a run's own goodput, priced for a demand against every arm."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.base.terms import Running, Terms
from harness.base.units import DAYS_PER_MONTH
from harness.base.yamlfile import validate
from harness.cost.arms import ApiArm, choose_arms
from harness.cost.bill import one_off_usd, people_of
from harness.cost.box.box import PricedBox, price_box
from harness.cost.box.given import GivenRate, given_box
from harness.cost.box.plausible import Ceilings
from harness.cost.box.splits import BusyRun
from harness.cost.box.weights import weights_named, weights_of
from harness.cost.breakeven.decision import api_calls_per_task, decide_parsed, usd_per_attempt
from harness.cost.breakeven.success import success_costs
from harness.cost.breakeven.words import flat_traffic, sentence
from harness.cost.checks import (
    doubts,
    doubts_without_a_run,
    one_run,
    peak_ceilings,
    saves_nothing_off,
    too_many_instances,
)
from harness.cost.extras import bills, by_class, options, token_splits
from harness.cost.own_prices import load_prices
from harness.cost.provenance import inputs_digest, provenance
from harness.cost.solved import success_as_tried, task_words
from harness.cost.tries import ApiTasks, Both, arm_as_tried, demand_as_tried, own_tries, tries_of
from harness.cost.undecided import left_open, why_undecided
from harness.cost.whatif.projection import projection
from harness.cost.whatif.ranges import CONFIDENCE, ranges_of
from harness.cost.whatif.sensitivity import sensitivity
from harness.cost.whatif.tried import as_tried
from harness.cost.whatif.uncertainty import simulate, spreads
from harness.demand.demand import Demand
from harness.prices.price_file import UserPrices
from harness.rundir.decide import Api, Decided, DecideInput, SelfHost
from harness.rundir.decision import Arm, Box, Decision
from harness.rundir.identity import Identity
from harness.rundir.manifest import RunManifest
from harness.rundir.result import Check
from harness.rundir.results import Metrics
from harness.rundir.success import Success


def build_decision(
    manifest: RunManifest,
    metrics: Metrics,
    demand: Demand,
    arms: Sequence[str],
    *,
    prices_file: Path | None = None,
    shape_runs: Sequence[BusyRun] = (),
    against: Sequence[ApiTasks] = (),
    more_checks: Sequence[Check] = (),
) -> Decision:
    """decision.json of a measured run.

    `arms` are `provider:model` references; the frontier and the same-weights arm are always added.
    `shape_runs` are `busy_run` of runs of other shapes on the same box: they measure the input/output split.
    `against` are runs of APIs that were asked the same tasks: each is an arm, with its own success, calls and tokens;
    `more_checks` are findings on them.
    A run without goodput is infeasible: every verdict is never, and the sentence says why.

    Raises:
        UsageError: no price for the instance or for an arm, or a price file that cannot be read.
    """
    prices = load_prices(prices_file)
    box = price_box(manifest.instance, metrics, prices, manifest.identity)
    weights = weights_of(manifest)
    chosen = choose_arms([*(one.arm for one in against), *arms], weights, demand, prices)
    found = [*more_checks, *doubts(manifest, metrics, box, chosen, demand)]
    tries = tries_of(own_tries(metrics, prices), chosen, demand, against, prices)
    most = peak_ceilings(box, manifest, metrics)
    decision = _decision(box, chosen, demand, prices, found, most, shape_runs, tries)
    said = manifest.identity or Identity()
    return decision.model_copy(update={"weights": said.weights, "quantization": said.quantization})


def decide_on_given(
    instance: Mapping[str, Any],
    rate: GivenRate,
    demand: Demand,
    arms: Sequence[str],
    *,
    model: str | None = None,
    prices_file: Path | None = None,
) -> Decision:
    """The same decision without a run: somebody says what the box serves. `instance` is as in run.json.

    Raises:
        UsageError: as `build_decision`; or a rate that is none.
    """
    prices = load_prices(prices_file)
    box = given_box(instance, rate, demand, prices)
    chosen = choose_arms(arms, weights_named(model) if model is not None else None, demand, prices)
    found, tries = doubts_without_a_run(model, box, chosen, demand), tries_of(None, chosen, demand, (), prices)
    return _decision(box, chosen, demand, prices, found, None, tries=tries)


def _decision(
    box: PricedBox,
    chosen: Sequence[ApiArm],
    demand: Demand,
    prices: UserPrices,
    doubted: Sequence[Check],
    most: Ceilings | None,
    shape_runs: Sequence[BusyRun] = (),
    tries: Mapping[str, Both] = MappingProxyType({}),
) -> Decision:
    priced = tuple(_arm(arm, box, demand, tries.get(arm.name)) for arm in chosen)
    checks = [*doubted, *too_many_instances(priced[0].decision), *(() if box.given else one_run(priced))]
    return Decision(
        demand=demand.to_dict(),
        self_host=Box(
            instance=box.instance,
            goodput=box.goodput,
            why_no_goodput=None if box.goodput is not None else box.why_no_goodput,
            given=box.given,
            usd_per_mtok=box.usd_per_mtok,
            splits=token_splits(box, shape_runs),
        ),
        people=people_of(demand),
        arms=priced,
        checks=tuple(checks),
        monthly=bills(priced, demand, box.instance.taken_as),
        purchase_options=options(box, demand_as_tried(demand, tries.get(chosen[0].name)), priced, prices),
        provenance=provenance(box, chosen, demand, most, tries),
        inputs_digest=inputs_digest([arm.input for arm in priced]),
    )


def check_prices(
    instance: Mapping[str, Any], arms: Sequence[str], demand: Demand, *, prices_file: Path | None = None
) -> tuple[PricedBox, list[ApiArm]]:
    """What `build_decision` will price with, before anything is measured: box (no goodput yet) and arms.

    Raises:
        UsageError: as `build_decision` would.
    """
    prices = load_prices(prices_file)
    return price_box(instance, Metrics(steps=()), prices), choose_arms(arms, None, demand, prices)


def decide_input(arm: ApiArm, box: PricedBox, demand: Demand) -> DecideInput:
    """The input of `decide` for one arm.

    Raises:
        UsageError: the demand's fixed costs, or the arm's mean prices, are beyond what `decide` takes.
    """
    goodput, where = box.goodput, f"demand {demand.name} against {arm.name}"
    own = {
        "usd_per_hour": box.instance.usd_per_hour,
        "goodput_requests_per_s": goodput.requests_per_s if goodput else None,
        "goodput_low": goodput.low if goodput else None,
        "goodput_high": goodput.high if goodput else None,
        "max_load": demand.max_load,
        "min_instances": demand.min_instances,
        "fixed_usd_per_month": demand.fixed_usd("self_host"),
        **{name: getattr(demand.self_host, name) for name in Running.model_fields},
    }
    if saves_nothing_off(box.instance, demand):
        own |= {"min_instances": 1, "cold_start_s": 0, "idle_s": 0}
    terms = {name: getattr(arm.terms, name) for name in Terms.model_fields}
    api = asdict(arm.rates(demand)) | terms | {"tokenizer_ratio": arm.tokenizer_ratio(demand)}
    api["fixed_usd_per_month"] = demand.fixed_usd("api") + arm.terms.fixed_usd_per_month
    for name in ("cache_write_usd_per_mtok", "cache_write_1h_usd_per_mtok"):
        del api[name]  # `decide` knows no such prices; the mean of the input holds them
    return DecideInput(
        workload=demand.workload(), self_host=validate(SelfHost, own, where=where), api=validate(Api, api, where=where)
    )


def _arm(arm: ApiArm, box: PricedBox, demand: Demand, both: Both | None) -> Arm:
    arm, demand = arm_as_tried(arm, both), demand_as_tried(demand, both)
    given, people = decide_input(arm, box, demand), people_of(demand)
    without = decide_input(arm, box, demand.without("people"))
    decided, struck = decide_parsed(given), decide_parsed(without)
    why_not = arm.why_not or why_undecided(given, decided, box) or (None if both is None else both.why_not)
    if why_not is None:
        said = sentence(given, decided, people, box.most_per_s)
        said_without = sentence(without, struck, None, box.most_per_s)
    else:
        decided, struck = left_open(decided), left_open(struck)
        said = said_without = f"Not decided: {why_not}."
    return Arm(
        name=arm.name,
        role=arm.role,
        label=arm.label,
        provider=arm.provider,
        model=arm.model,
        price=arm.price(demand),
        input=given,
        decided=why_not is None,
        why_not=why_not,
        decision=decided,
        sentence=said,
        assumes=_assumes(given, box, demand, both) if why_not is None else None,
        decision_without_people=struck,
        sentence_without_people=said_without,
        classes=by_class(arm, demand),
        success=_success(given, decided, demand, both, box),
        **(_what_if(given, people.usd_per_month, box, demand, arm, both) if why_not is None else {}),
    )


def _assumes(given: DecideInput, box: PricedBox, demand: Demand, both: Both | None) -> str | None:
    """What the answer takes for granted: how a task is counted, and the same load every hour."""
    flat = flat_traffic(given) if box.goodput is not None and demand.is_flat else ""
    return " ".join(part for part in (task_words(both), flat) if part) or None


def _success(given: DecideInput, decided: Decided, demand: Demand, both: Both | None, box: PricedBox) -> Success:
    if both is not None:
        return success_as_tried(given, decided, both, box)
    calls = api_calls_per_task(given.workload, given.api)
    return success_costs(decided, demand.human_usd_per_task, demand.response_cache_hit_rate, attempts=calls)


def _what_if(
    given: DecideInput, people: float, box: PricedBox, demand: Demand, arm: ApiArm, both: Both | None
) -> dict[str, Any]:
    """What would change the answer, and how it goes on; there is none where nothing was decided."""
    ranges = ranges_of(
        given,
        people,
        demand.ranges,
        spot_range=_spot_range(box),
        confidence=box.goodput.confidence if box.goodput else CONFIDENCE,
        is_given=box.given is not None,
    )
    return {
        "sensitivity": sensitivity(given, people_usd=people, ranges=ranges),
        "monte_carlo": simulate(given, as_tried(spreads(given, people, ranges), both)),
        "projection": projection(
            given,
            growth_per_month=demand.growth_per_month,
            months=demand.horizon_months,
            one_off_usd=one_off_usd(demand, "self_host") - one_off_usd(demand, "api"),
            usd_per_attempt=_announced(arm, box, demand),
        ),
    }


def _announced(arm: ApiArm, box: PricedBox, demand: Demand) -> list[float] | None:
    """USD a call in each month of the horizon, by the prices announced; None: none is."""
    starts = [change.starts_on for _, price in arm.parts for change in price.changes]
    if not starts:
        return None
    today = datetime.now(UTC).date()
    by_start: dict[date | None, float] = {None: _usd_per_call(arm, box, demand)}
    by_start |= {day: _usd_per_call(arm.on(day).over(demand.hourly_profile), box, demand) for day in set(starts)}
    days = [today + timedelta(days=DAYS_PER_MONTH * month) for month in range(demand.horizon_months)]
    return [by_start[max((start for start in starts if start <= day), default=None)] for day in days]


def _usd_per_call(arm: ApiArm, box: PricedBox, demand: Demand) -> float:
    given = decide_input(arm, box, demand)
    return usd_per_attempt(given.workload.classes, given.api)


def _spot_range(box: PricedBox) -> tuple[float, float] | None:
    known = box.listed.spot_range_usd_per_hour if box.listed else None
    return known if box.instance.purchase == "spot" and box.instance.kind == "listed" else None
