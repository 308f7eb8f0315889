"""Ways to buy the same instances: on demand, reserved, spot, a reserved base with a burst.

Each is priced for the demand's own hourly profile. What nobody priced is listed as such, never as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.base.units import HOURS_PER_MONTH, SECONDS_PER_HOUR
from harness.cost.breakeven.exact import ceil
from harness.cost.breakeven.staircase import MOST_INSTANCES
from harness.demand.demand import Demand
from harness.prices.record import Quote
from harness.rundir.decision import PurchaseOption

MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class Fleet:
    """Instances needed in each hour of a day or a week that repeats."""

    by_hour: tuple[int, ...]

    @property
    def cycles_per_month(self) -> float:
        """How often the profile repeats in a month of 730 hours."""
        return HOURS_PER_MONTH / len(self.by_hour)

    def static_hours(self) -> float:
        """Instance-hours a month when the peak's instances run all the time."""
        return max(self.by_hour) * len(self.by_hour) * self.cycles_per_month

    def autoscaled_hours(self, startup_minutes: float = 0) -> float:
        """Instance-hours a month when each hour runs what it needs; a start is billed before it serves."""
        return (sum(self.by_hour) + self.starts() * startup_minutes / MINUTES_PER_HOUR) * self.cycles_per_month

    def starts(self) -> int:
        """Instances launched in one cycle."""
        before = (self.by_hour[-1], *self.by_hour[:-1])
        return sum(max(0, now - then) for now, then in zip(self.by_hour, before, strict=True))

    def above(self, base: int) -> Fleet:
        """What is needed on top of a base that always runs."""
        return Fleet(tuple(max(0, n - base) for n in self.by_hour))


def fleet_for(
    calls_per_month: float, profile: Sequence[float], usable_requests_per_s: float, min_instances: int
) -> Fleet | None:
    """max(N_min, ceil(calls in the hour / (3600 rho G))) for each hour; None above any sane count.

    `usable_requests_per_s` is rho G of one instance, `calls_per_month` is R m (1-h).
    """
    per_cycle = calls_per_month * len(profile) / HOURS_PER_MONTH
    total = sum(profile)
    loads = [per_cycle * weight / total / (SECONDS_PER_HOUR * usable_requests_per_s) for weight in profile]
    if max(loads) > MOST_INSTANCES:
        return None
    return Fleet(tuple(int(max(min_instances, ceil(load))) for load in loads))


def best_base(fleet: Fleet, reserved: float, on_demand: float, startup_minutes: float) -> tuple[int, float]:
    """(reserved instances, USD a month) of the cheapest mix: the base is always paid, the rest by the hour.

    The bill is linear between the counts that some hour needs, so its least lies at one of those.
    """
    costs = []
    for base in sorted({0, *fleet.by_hour}):
        burst = fleet.above(base).autoscaled_hours(startup_minutes) * on_demand
        costs.append((base * HOURS_PER_MONTH * reserved + burst, base))
    usd, base = min(costs)
    return base, usd


def _spot_loss(demand: Demand) -> float:
    """Share of the time an interrupted spot instance does not serve."""
    return demand.spot_interruptions_per_hour * demand.spot_recovery_minutes / MINUTES_PER_HOUR


def spot_usd_per_hour(spot: float, demand: Demand) -> float:
    """Price of an hour that serves: c / (1 - lambda tau).

    Example: 2.0796 USD/h, 5 % an hour, 10 minutes lost each time: 2.0970756.
    """
    return spot / (1 - _spot_loss(demand))


def purchase_options(quotes: Mapping[str, Quote], fleet: Fleet, demand: Demand) -> list[PurchaseOption]:
    """Every way to buy the fleet, cheapest first, those without a price last with the reason; no savings yet."""
    rows = [
        _static("on_demand", quotes, fleet),
        _autoscaled(quotes, fleet, demand),
        _static("reserved_1y", quotes, fleet),
        _static("reserved_3y", quotes, fleet),
        _spot(quotes, fleet, demand),
        _mixed("reserved_1y", quotes, fleet, demand),
        _mixed("reserved_3y", quotes, fleet, demand),
        *(_static(purchase, quotes, fleet) for purchase in ("reserved_1m", "owned") if purchase in quotes),
    ]
    return sorted(rows, key=lambda row: (row.usd_per_month is None, row.usd_per_month or 0))


def _row(option: str, usd: float | None, hours: float | None, note: str, *quotes: Quote) -> PurchaseOption:
    dates = [quote.checked_on for quote in quotes if quote.checked_on is not None]
    return PurchaseOption(
        option=option,
        usd_per_month=usd,
        instance_hours_per_month=hours,
        usd_per_instance_hour=usd / hours if usd is not None and hours else None,
        source="; ".join(dict.fromkeys(quote.source for quote in quotes)) or None,
        checked_on=min(dates) if dates and len(dates) == len(quotes) else None,
        note=note,
        saving_usd=None,
    )


def _unpriced(option: str, purchase: str) -> PurchaseOption:
    return _row(option, None, None, f"no {purchase.replace('_', ' ')} price is known; give yours with --prices FILE")


def _static(purchase: str, quotes: Mapping[str, Quote], fleet: Fleet) -> PurchaseOption:
    if purchase not in quotes:
        return _unpriced(f"{purchase}_static", purchase)
    hours = fleet.static_hours()
    note = f"{_count(max(fleet.by_hour))} all the time"
    return _row(f"{purchase}_static", hours * quotes[purchase].usd_per_hour, hours, note, quotes[purchase])


def _count(instances: int) -> str:
    return f"{instances:,} instance" + ("" if instances == 1 else "s")


def _autoscaled(quotes: Mapping[str, Quote], fleet: Fleet, demand: Demand) -> PurchaseOption:
    if "on_demand" not in quotes:
        return _unpriced("on_demand_autoscaled", "on_demand")
    hours = fleet.autoscaled_hours(demand.startup_minutes)
    note = (
        f"{min(fleet.by_hour)} to {_count(max(fleet.by_hour))} by the hour;"
        f" {fleet.starts()} starts in {len(fleet.by_hour)} h, {demand.startup_minutes:g} min billed for each"
    )
    usd = hours * quotes["on_demand"].usd_per_hour
    return _row("on_demand_autoscaled", usd, hours, note, quotes["on_demand"])


def _spot(quotes: Mapping[str, Quote], fleet: Fleet, demand: Demand) -> PurchaseOption:
    if "spot" not in quotes or "on_demand" not in quotes:
        return _unpriced("spot_with_fallback", "spot")
    hours, lost = fleet.static_hours(), _spot_loss(demand)
    usd = hours * (quotes["spot"].usd_per_hour + lost * quotes["on_demand"].usd_per_hour)
    serving = spot_usd_per_hour(quotes["spot"].usd_per_hour, demand)
    note = (
        f"{_count(max(fleet.by_hour))}; {100 * lost:.2g} % of the time on demand while spot is lost"
        f" (assumed: {100 * demand.spot_interruptions_per_hour:.3g} % lost an hour,"
        f" {demand.spot_recovery_minutes:g} min each); on spot alone an hour that serves is USD {serving:.4g}"
    )
    return _row("spot_with_fallback", usd, hours, note, quotes["spot"], quotes["on_demand"])


def _mixed(purchase: str, quotes: Mapping[str, Quote], fleet: Fleet, demand: Demand) -> PurchaseOption:
    option = f"{purchase}_base_with_burst"
    if purchase not in quotes or "on_demand" not in quotes:
        return _unpriced(option, purchase)
    reserved, on_demand = quotes[purchase].usd_per_hour, quotes["on_demand"].usd_per_hour
    base, usd = best_base(fleet, reserved, on_demand, demand.startup_minutes)
    hours = base * HOURS_PER_MONTH + fleet.above(base).autoscaled_hours(demand.startup_minutes)
    note = f"{base} reserved, the rest on demand by the hour"
    if on_demand > 0:
        share = reserved / on_demand
        note += f"; reserving pays for an instance that is needed more than {100 * share:.0f} % of the hours"
    return _row(option, usd, hours, note, quotes[purchase], quotes["on_demand"])
