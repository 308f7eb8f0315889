"""Looking prices up: instances in instances.yaml, API models by `provider:model`; the user's own always win.

A price that nobody gave is an error that names it, never 0.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from harness.base.errors import UsageError
from harness.base.yamlfile import read_yaml, validate
from harness.prices import genai
from harness.prices.price_file import PriceFile, load_user_prices
from harness.prices.record import ApiPrice, Instance, Quote, UserPrices, as_date

__all__ = [
    "find_instance",
    "load_instances",
    "load_user_prices",
    "quote_for",
    "resolve_api",
]

CATALOG = Path(__file__).with_name("instances.yaml")


def resolve_api(reference: str, user_prices: UserPrices | None = None, *, on: date | None = None) -> ApiPrice:
    """The price of `provider:model` on a day (None: today); the user's own wins.

    Raises:
        UsageError: not `provider:model`, or nobody gave a price for it; the hint has near names.
    """
    provider, colon, model = reference.partition(":")
    if not colon or not provider.strip() or not model.strip():
        raise UsageError(
            f"an API is named provider:model, got `{reference}`", hint="for example `openai:gpt-4.1-mini`"
        )
    own = (user_prices or UserPrices()).api.get(reference.lower())
    return own if own is not None else genai.resolve(provider.strip(), model.strip(), on=on)


@cache
def _catalog_rows() -> tuple[dict[str, Any], ...]:
    file = validate(PriceFile, read_yaml(CATALOG, what="instance price"), where=str(CATALOG))
    return tuple(row.model_dump(exclude_unset=True) for row in file.instances)


def load_instances(user_prices: UserPrices | None = None) -> list[Instance]:
    """Every instance row, the user's rows laid over ours (same id and region: what they give wins)."""
    rows = {(r["id"], r.get("region")): dict(r) for r in _catalog_rows()}
    instances = {key: _instance(row, "listed") for key, row in rows.items()}
    for own in (user_prices or UserPrices()).instances:
        key = _key_of(own, rows)
        merged = {**rows.get(key, {}), **own, "usd_per_hour": own.get("usd_per_hour", {})}
        theirs = _instance(merged, "the user's own price")
        before = instances.get(key)
        instances[key] = replace(theirs, quotes={**(before.quotes if before else {}), **theirs.quotes})
    return list(instances.values())


def _key_of(own: dict[str, Any], rows: dict[tuple[str, str | None], Any]) -> tuple[str, str | None]:
    if "region" in own:
        return own["id"], own["region"]
    return next((key for key in rows if key[0] == own["id"]), (own["id"], None))


def _instance(row: dict[str, Any], source: str) -> Instance:
    others = row.get("other_sources", {})
    default = {"source": row.get("source") or source, "checked_on": row.get("checked_on")}
    quotes = {
        purchase: Quote(
            float(usd),
            others.get(purchase, default)["source"],
            as_date(others.get(purchase, default).get("checked_on")),
        )
        for purchase, usd in row["usd_per_hour"].items()
    }
    return Instance(
        id=row["id"],
        provider=row.get("provider") or "own",
        region=row.get("region"),
        gpu=row.get("gpu"),
        gpu_count=row.get("gpu_count", 0),
        gpu_memory_gib=row.get("gpu_memory_gib"),
        vcpu=row.get("vcpu"),
        ram_gib=row.get("ram_gib"),
        quotes=quotes,
        spot_range_usd_per_hour=row.get("spot_range_usd_per_hour"),
    )


def find_instance(reference: str, user_prices: UserPrices | None = None) -> Instance:
    """The instance `id` (first region listed) or `id@region`.

    Raises:
        UsageError: unknown id or region; the hint has near names.
    """
    wanted, _, region = reference.partition("@")
    instances = load_instances(user_prices)
    same_id = [i for i in instances if i.id == wanted]
    if not same_id:
        names = sorted({i.id for i in instances})
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        raise UsageError(
            f"unknown instance `{wanted}`",
            hint=(f"did you mean {' or '.join(f'`{n}`' for n in near)}? " if near else "")
            + "`breakeven prices list` shows all; your own go in a file for --prices FILE",
        )
    for instance in same_id:
        if not region or instance.region == region:
            return instance
    regions = ", ".join(i.region or "n/a" for i in same_id)
    raise UsageError(f"no price for `{wanted}` in region `{region}`", hint=f"known regions: {regions}")


def quote_for(instance: Instance, purchase: str) -> Quote:
    """The hourly price of a purchase option.

    Raises:
        UsageError: no source gave one.
    """
    if purchase not in instance.quotes:
        raise UsageError(
            f"no `{purchase}` price for `{instance.id}` in {instance.region or 'any region'}",
            hint=f"known: {', '.join(instance.quotes) or 'none'}; add yours in a file for --prices FILE",
        )
    return instance.quotes[purchase]
