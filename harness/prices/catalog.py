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

from pydantic import Field

from harness.errors import UsageError
from harness.prices import genai
from harness.prices.record import PURCHASES, ApiPrice, Instance, Quote, Rates, Tier, UserPrices, as_date
from harness.yamlfile import Strict, read_yaml, validate

CATALOG = Path(__file__).with_name("instances.yaml")


class _Source(Strict):
    source: str
    checked_on: date | None = None


class _InstanceRow(Strict):
    id: str
    provider: str | None = None
    region: str | None = None
    gpu: str | None = None
    gpu_count: int = Field(default=0, ge=0)
    gpu_memory_gib: float | None = Field(default=None, gt=0)
    vcpu: int | None = Field(default=None, ge=1)
    ram_gib: float | None = Field(default=None, gt=0)
    usd_per_hour: dict[str, float] = Field(default_factory=dict)
    source: str | None = None
    checked_on: date | None = None
    other_sources: dict[str, _Source] = Field(default_factory=dict)
    spot_range_usd_per_hour: tuple[float, float] | None = None
    currency: str = "USD"


class _RatesRow(Strict):
    input_usd_per_mtok: float = Field(ge=0)
    output_usd_per_mtok: float = Field(ge=0)
    cached_input_usd_per_mtok: float | None = Field(default=None, ge=0)
    cache_write_usd_per_mtok: float | None = Field(default=None, ge=0)

    def rates(self) -> Rates:
        return Rates(
            self.input_usd_per_mtok,
            self.output_usd_per_mtok,
            self.cached_input_usd_per_mtok,
            self.cache_write_usd_per_mtok,
        )


class _TierRow(_RatesRow):
    above_input_tokens: int = Field(gt=0)


class _ApiRow(_RatesRow):
    provider: str
    model: str
    tiers: list[_TierRow] = Field(default_factory=list)
    batch: _RatesRow | None = None
    currency: str = "USD"
    source: str | None = None
    checked_on: date | None = None
    label: str = ""


class _PriceFile(Strict):
    sources: dict[str, str] = Field(default_factory=dict)
    api: list[_ApiRow] = Field(default_factory=list)
    instances: list[_InstanceRow] = Field(default_factory=list)


def load_user_prices(path: Path) -> UserPrices:
    """A price file of the user's: `api:` and `instances:` rows, in USD; or a decision.json, for its prices.

    Raises:
        UsageError: not there, not YAML, unknown key, another currency, a negative price; names file and key.
    """
    data = read_yaml(path, what="price")
    if "arms" in data and "self_host" in data:
        return _prices_of_decision(data, path)
    file = validate(_PriceFile, data, where=str(path))
    for n, api_row in enumerate(file.api):
        _only_usd(api_row.currency, f"{path}: `api[{n}].currency`")
    for n, instance in enumerate(file.instances):
        _only_usd(instance.currency, f"{path}: `instances[{n}].currency`")
        _known_purchases(instance, f"{path}: `instances[{n}]")
    api = {f"{row.provider}:{row.model}".lower(): _user_price(row, path) for row in file.api}
    return UserPrices(api, [row.model_dump(exclude_unset=True) for row in file.instances])


def _prices_of_decision(data: dict[str, Any], path: Path) -> UserPrices:
    """The prices an old decision was made with, sources and dates kept: the same report, years later."""
    try:
        listed = [part for arm in data["arms"] for part in arm["price"].get("parts", [arm["price"]])]
        prices = [ApiPrice.from_dict(price) for price in listed]
        box = data["self_host"]["instance"]
        row = {
            **{key: box[key] for key in ("id", "region", "source", "checked_on")},
            "usd_per_hour": {box["purchase"]: box["usd_per_hour"]},
        }
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a decision.json that holds its prices: {error}") from None
    known = {key: value for key, value in row.items() if value is not None}
    return UserPrices({f"{p.provider}:{p.model}".lower(): p for p in prices}, [known])


def _only_usd(currency: str, where: str) -> None:
    if currency != "USD":
        raise UsageError(
            f"{where}: only USD is understood, got {currency!r}",
            hint="convert the price and note the rate in `source`",
        )


def _known_purchases(row: _InstanceRow, where: str) -> None:
    for purchase, usd in row.usd_per_hour.items():
        if purchase not in PURCHASES:
            raise UsageError(
                f"{where}.usd_per_hour`: unknown purchase option `{purchase}`",
                hint=f"known: {', '.join(PURCHASES)}",
            )
        if not usd >= 0:
            raise UsageError(f"{where}.usd_per_hour.{purchase}`: must be 0 or more, got {usd:g}")


def _user_price(row: _ApiRow, path: Path) -> ApiPrice:
    return ApiPrice(
        provider=row.provider,
        model=row.model,
        rates=row.rates(),
        tiers=tuple(
            Tier(t.above_input_tokens, t.rates())
            for t in sorted(row.tiers, key=lambda t: t.above_input_tokens)
        ),
        batch=row.batch.rates() if row.batch else None,
        source=row.source or f"the user's file {path.name}",
        checked_on=row.checked_on,
        label=row.label,
        kind="listed" if row.source else "assumed",
    )


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
    file = validate(_PriceFile, read_yaml(CATALOG, what="instance price"), where=str(CATALOG))
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
