"""Checks on the prices: are they fresh, do two lists agree, can they be bought, is all of them in the sums."""

from collections.abc import Iterator, Sequence
from datetime import date

from harness.cost.arms import ApiArm
from harness.demand.demand import Demand
from harness.prices.crosscheck import differences
from harness.prices.record import STALE_AFTER_DAYS, age_days
from harness.rundir.decision import BoxInstance
from harness.rundir.result import Check


def price_doubts(rented: BoxInstance, arms: Sequence[ApiArm], demand: Demand, today: date) -> list[Check]:
    """Every doubt about what the box and the APIs cost."""
    return [*_prices(rented, arms, today), *_second_opinions(arms), *_whole_prices(arms, demand, today)]


def _warning(code: str, message: str, hint: str) -> Check:
    return Check(code=code, level="warning", message=message, hint=hint)


def _prices(rented: BoxInstance, arms: Sequence[ApiArm], today: date) -> Iterator[Check]:
    if rented.kind == "listed":
        yield from _age(f"{rented.id} {rented.purchase.replace('_', ' ')}", rented.checked_on, today)
    unique = {f"{price.provider}:{price.model}": price for arm in arms for _, price in arm.parts}
    old: dict[date | None, list[str]] = {}
    for name, price in unique.items():
        old.setdefault(price.checked_on, []).append(name)
    for checked_on, names in old.items():
        yield from _age(", ".join(names), checked_on, today)


def _age(what: str, checked_on: date | None, today: date) -> Iterator[Check]:
    age = age_days(checked_on, today)
    hint = "`breakeven prices check` lists them; a file for --prices wins over every listed price"
    if age is None:
        message = f"nobody noted when the price of {what} was checked"
        yield _warning("price_date_unknown", message, hint)
    elif age > STALE_AFTER_DAYS:
        message = f"the price of {what} was checked {checked_on}, {age} days ago"
        yield _warning("stale_price", message, hint)


def _second_opinions(arms: Sequence[ApiArm]) -> Iterator[Check]:
    found = {d.name + d.which: d for arm in arms for _, price in arm.parts for d in differences(price)}
    for d in found.values():
        message = f"{d.name}: {d.which} is {d.first:g} USD per Mtok here and {d.second:g} in {d.second_source}"
        hint = "look it up at the provider, and settle it in a file for --prices"
        yield _warning("prices_disagree", message, hint)


def _whole_prices(arms: Sequence[ApiArm], demand: Demand, today: date) -> Iterator[Check]:
    """Prices that nobody can buy at any more, and parts of them that are not in the sum."""
    unique = {f"{price.provider}:{price.model}": price for arm in arms for _, price in arm.parts}
    keeps_an_hour = any(one.cache_write_1h_tokens for one in demand.requests())
    for name, price in unique.items():
        if price.is_retired(today):
            message = f"{name} was retired on {price.retired_on}: nobody can buy it at this price any more"
            yield _warning("retired_model", message, "`breakeven prices list` shows the models of today")
        unused = [part.words for part in price.unused if part.is_due]
        if keeps_an_hour and price.rates.cache_write_1h_usd_per_mtok is None:
            unused.append("cache writes kept for an hour, of which no price is listed: priced as any write")
        if unused:
            message = f"the price of {name} has parts that are not in these sums: {', '.join(unused)}"
            hint = "what they come to goes into the demand as an item, or into a price of your own for --prices"
            yield _warning("price_parts_unused", message, hint)
