"""A price in another currency, at a rate that the user gives with its date. No rate is fetched, and none assumed."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field

from harness.base.errors import UsageError
from harness.base.yamlfile import Strict


class Rate(Strict):
    """What one unit of a currency was worth on a day."""

    usd: float = Field(gt=1e-6, lt=1e3)
    checked_on: date
    source: str | None = None


def in_usd(row: dict[str, Any], rates: Mapping[str, Rate], where: str) -> dict[str, Any]:
    """A row of a price file with its amounts in USD; where it was in another currency its source says so.

    Raises:
        UsageError: no rate is given for its currency.
    """
    currency = row.get("currency", "USD")
    if currency == "USD":
        return row
    if currency not in rates:
        raise UsageError(
            f"{where}.currency`: only USD is understood, got {currency!r}, and `currencies` gives no rate of it",
            hint=f"currencies: {{{currency}: {{usd: 1.08, checked_on: 2026-11-01}}}}, with your rate and its day",
        )
    rate = rates[currency]
    by = f", {rate.source}" if rate.source else ""
    said = f"{row.get('source') or 'your own price'}, at {rate.usd:g} USD per {currency} of {rate.checked_on}{by}"
    return {**_converted(row, rate.usd), "currency": "USD", "source": said}


def _converted(value: Any, usd: float, *, money: bool = False) -> Any:
    if isinstance(value, dict):
        return {key: _converted(inner, usd, money=money or "usd" in key) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_converted(inner, usd, money=money) for inner in value]
    return value * usd if money and isinstance(value, int | float) else value
