"""Prices as rows: what `breakeven prices` lists, and how old each is."""

from collections.abc import Sequence
from datetime import date
from string import ascii_lowercase
from typing import Any

from harness.prices.catalog import load_instances, resolve_api
from harness.prices.crosscheck import differences
from harness.prices.price_file import UserPrices
from harness.prices.record import STALE_AFTER_DAYS, ApiPrice, age_days

Row = dict[str, Any]  # as `--json` prints it


def instance_rows(prices: UserPrices, today: date | None = None) -> list[Row]:
    """One row an instance and purchase option; with `today` how old each is."""
    known = ("id", "region", "provider", "gpu", "gpu_count", "gpu_memory_gib", "vcpu", "ram_gib")
    return [
        {
            **{name: getattr(instance, name) for name in known},
            "purchase": purchase,
            "usd_per_hour": quote.usd_per_hour,
            "source": quote.source,
            "checked_on": quote.checked_on.isoformat() if quote.checked_on else None,
            **age(quote.checked_on, today),
        }
        for instance in load_instances(prices)
        for purchase, quote in instance.quotes.items()
    ]


def source_letters(sources: Sequence[str]) -> dict[str, str]:
    """A letter for each source, in their order: a, b, ... z, aa, ..."""
    return {source: _letters(n) for n, source in enumerate(dict.fromkeys(sources))}


def _letters(n: int) -> str:
    more, last = divmod(n, len(ascii_lowercase))
    return (_letters(more - 1) if more else "") + ascii_lowercase[last]


def api_rows(references: Sequence[str], prices: UserPrices, today: date | None = None) -> list[Row]:
    """One row an API: those asked for, and all of the user's own; with `today` how old each is, and `disagrees`:
    what a second source gives otherwise, in words; empty when nothing.

    Raises:
        UsageError: an API that nobody has a price for.
    """
    wanted = [resolve_api(reference, prices) for reference in dict.fromkeys([*prices.api, *references])]
    if today is None:
        return [price.to_dict() for price in wanted]
    return [{**price.to_dict(), **_age(price, today), "disagrees": _disagreement(price)} for price in wanted]


def _age(price: ApiPrice, today: date) -> Row:
    """As `age`, by the day the source looked where that is known; `retired` where nobody can buy it any more."""
    found = age(price.source_checked_on or price.checked_on, today)
    return {**found, "status": "retired"} if price.is_retired(today) else found


def _disagreement(price: ApiPrice) -> str:
    return "; ".join(f"{d.which} {d.second:g} in {d.second_source}" for d in differences(price))


def age(checked_on: date | None, today: date | None) -> Row:
    """`age_days` and `status` of a price: fresh, stale or undated; nothing without a `today`."""
    if today is None:
        return {}
    days = age_days(checked_on, today)
    status = "undated" if days is None else "stale" if days > STALE_AFTER_DAYS else "fresh"
    return {"age_days": days, "status": status}
