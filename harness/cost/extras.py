"""What a decision carries beside the verdicts: options, bills, cost by class, token splits."""

from collections.abc import Sequence

from harness.base.units import HOURS_PER_DAY
from harness.cost.arms import ApiArm
from harness.cost.bill import bill
from harness.cost.box.box import PricedBox
from harness.cost.box.purchase import fleet_for, purchase_options
from harness.cost.box.splits import BusyRun, measured_output_weight, splits
from harness.cost.breakeven.decision import calls_at_peak
from harness.demand.demand import Demand
from harness.prices.catalog import load_instances
from harness.prices.price_file import UserPrices
from harness.prices.record import Quote
from harness.rundir.decision import Arm, Bill, ClassCost, PurchaseOptions, RegionPrice, Splits
from harness.rundir.results import Metrics

SECONDS_PER_MINUTE = 60


def by_class(arm: ApiArm, demand: Demand) -> tuple[ClassCost, ...]:
    """What a call of each class costs at the arm's listed prices: share of the tasks, mean tokens, USD."""
    total = sum(kind.weight for kind in demand.classes)
    rows = []
    for kind in demand.classes:
        # a class of weight 0 has a price too
        requests = kind.model_copy(update={"weight": 1.0}).requests()
        usd = arm.usd_per_task(requests, demand)
        rows.append(
            ClassCost(
                name=kind.name,
                share=kind.weight / total,
                input_tokens=sum(row.input_tokens for row in requests) / len(requests),
                output_tokens=kind.output_tokens,
                turns=len(requests),
                usd_per_task=usd,
            )
        )
    return tuple(rows)


def bills(arms: Sequence[Arm], demand: Demand, taken_as: str) -> tuple[Bill, ...]:
    """The month of the box and of each arm, line by line; empty without a volume."""
    tasks = demand.tasks_per_month or 0.0
    own_usd = arms[0].input.beside_usd("self_host", tasks)
    months = [bill("self_host", "self_host", arms[0].decision, demand, taken_as, beside_usd=own_usd)]
    for arm in arms:
        fee_usd = arm.input.api.fixed_usd_per_month - demand.fixed_usd("api")
        beside_usd = arm.input.beside_usd("api", tasks)
        months.append(bill(arm.name, "api", arm.decision, demand, fee_usd=fee_usd, beside_usd=beside_usd))
    return tuple(month for month in months if month is not None)


def options(box: PricedBox, demand: Demand, arms: Sequence[Arm], prices: UserPrices) -> PurchaseOptions | None:
    """Ways to buy what the demand's profile needs, and the same instance elsewhere; None without volume or goodput.

    A peak without a profile says nothing about the hours: then every hour is taken as the peak.
    """
    if demand.tasks_per_month is None or box.goodput is None or box.goodput.requests_per_s is None:
        return None
    work = demand.workload()
    profile = work.hourly_profile or [1.0] * HOURS_PER_DAY
    # calls of the mean hour: the profile lifts them to its own peak
    calls = demand.tasks_per_month * calls_at_peak(work) * (sum(profile) / len(profile)) / max(profile)
    usable = demand.max_load * box.goodput.requests_per_s
    fleet = fleet_for(calls, profile, usable, demand.min_instances)
    if fleet is None:
        return None
    if demand.min_instances == 0:  # it said itself what a start bills
        unserved_s = demand.self_host.cold_start_s + demand.self_host.idle_s
        demand = demand.model_copy(update={"startup_minutes": unserved_s / SECONDS_PER_MINUTE})
    rented = box.instance
    quotes = dict(box.listed.quotes if box.listed else {})
    quotes[rented.purchase] = Quote(rented.usd_per_hour, rented.source, rented.checked_on)
    return PurchaseOptions(
        instances_by_hour=fleet.by_hour,
        profile="demand" if work.hourly_profile is not None else "none given: every hour is the peak",
        options=tuple(
            option.model_copy(update={"saving_usd": _savings(option.usd_per_month, arms, demand)})
            for option in purchase_options(quotes, fleet, demand)
        ),
        regions=_regions(rented.id, prices, fleet.static_hours()),
    )


def _savings(usd: float | None, arms: Sequence[Arm], demand: Demand) -> dict[str, float] | None:
    """What an option saves a month against each arm, fixed costs of both sides included."""
    if usd is None:
        return None
    own = usd + demand.fixed_usd("self_host") + arms[0].input.beside_usd("self_host", demand.tasks_per_month or 0.0)
    volumes = {arm.name: arm.decision.at_volume for arm in arms}
    return {name: at.api_usd - own for name, at in volumes.items() if at is not None and at.winner is not None}


def _regions(instance_id: str, prices: UserPrices, instance_hours: float) -> tuple[RegionPrice, ...]:
    """The same instance on demand in every region that has a price, cheapest first."""
    rows = [
        RegionPrice(
            region=instance.region,
            usd_per_hour=quote.usd_per_hour,
            usd_per_month=instance_hours * quote.usd_per_hour,
            checked_on=quote.checked_on,
        )
        for instance in load_instances(prices)
        if instance.id == instance_id and (quote := instance.quotes.get("on_demand")) is not None
    ]
    return tuple(sorted(rows, key=lambda row: row.usd_per_hour))


def token_splits(box: PricedBox, shape_runs: Sequence[BusyRun]) -> Splits | None:
    """USD per Mtok of input and output at the SLO's step in three conventions; the weight measured where it can be."""
    at = box.usd_per_mtok.at_slo or box.usd_per_mtok.at_peak
    if at is None or not at.input_tokens_per_s:
        return None
    measured = measured_output_weight(shape_runs)
    rows = splits(box.instance.usd_per_hour, at.input_tokens_per_s, at.output_tokens_per_s, measured)
    return Splits(step=at.step, conventions=tuple(rows), measured_weight=measured)


def busy_run(metrics: Metrics) -> BusyRun | None:
    """A run's busiest step, for `shape_runs`; None when it does not say."""
    step = metrics.busiest
    if step is None or step.void is not None or not step.input_tokens_per_s or not step.output_tokens_per_s:
        return None
    seconds = step.window.length_s
    return BusyRun(seconds, step.input_tokens_per_s * seconds, step.output_tokens_per_s * seconds)
