"""Prices as rows: what `breakeven prices` lists, and how old each is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from string import ascii_lowercase
from typing import Any

from harness.prices.catalog import load_instances, resolve_api
from harness.prices.crosscheck import differences
from harness.prices.record import STALE_AFTER_DAYS, ApiPrice, UserPrices, age_days


def instance_rows(prices: UserPrices) -> list[dict[str, Any]]:
    """One row an instance and purchase option."""
    return [
        {
            "id": instance.id,
            "region": instance.region,
            "provider": instance.provider,
            "gpu": instance.gpu,
            "gpu_count": instance.gpu_count,
            "gpu_memory_gib": instance.gpu_memory_gib,
            "vcpu": instance.vcpu,
            "ram_gib": instance.ram_gib,
            "purchase": purchase,
            "usd_per_hour": quote.usd_per_hour,
            "source": quote.source,
            "checked_on": quote.checked_on.isoformat() if quote.checked_on else None,
        }
        for instance in load_instances(prices)
        for purchase, quote in instance.quotes.items()
    ]


def source_letters(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """A letter for each source of the rows, in their order: a, b, ... z, aa, ..."""
    sources = dict.fromkeys(row["source"] for row in rows)
    return {source: _letters(n) for n, source in enumerate(sources)}


def _letters(n: int) -> str:
    more, last = divmod(n, len(ascii_lowercase))
    return (_letters(more - 1) if more else "") + ascii_lowercase[last]


def api_rows(references: Sequence[str], prices: UserPrices) -> list[dict[str, Any]]:
    """One row an API: those asked for, and all of the user's own.

    Raises:
        UsageError: an API that nobody has a price for.
    """
    wanted = dict.fromkeys([*prices.api, *references])
    return [resolve_api(reference, prices).to_dict() for reference in wanted]


def with_second_opinion(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The API rows with `disagrees`: what a second source gives otherwise, in words; empty when nothing."""
    return [{**row, "disagrees": _disagreement(row)} for row in rows]


def _disagreement(row: dict[str, Any]) -> str:
    found = differences(ApiPrice.from_dict(row))
    return "; ".join(f"{d.which} {d.second:g} in {d.second_source}" for d in found)


def with_age(rows: Sequence[dict[str, Any]], today: date) -> list[dict[str, Any]]:
    """The rows with `age_days` and `status`: fresh, stale (over 90 days) or undated."""
    return [{**row, **_age(row, today)} for row in rows]


def _age(row: dict[str, Any], today: date) -> dict[str, Any]:
    checked_on = row.get("checked_on")
    age = age_days(date.fromisoformat(checked_on) if checked_on else None, today)
    if age is None:
        return {"age_days": None, "status": "undated"}
    return {"age_days": age, "status": "stale" if age > STALE_AFTER_DAYS else "fresh"}
