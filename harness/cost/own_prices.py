"""The prices that the user gives: a price file, or an old decision.json, years later and with its dates kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.base.yamlfile import read_yaml, validate
from harness.prices.price_file import InstanceRow, RatesRow, UserPrices, api_key, known_purchases, user_prices
from harness.prices.record import ApiPrice, Rates, Tier
from harness.rundir.decision import ArmPrice, BoxInstance, ListedPrice, ListRates, MixPrice, PriceTier
from harness.rundir.results import Result


class _Arm(Result):
    price: ArmPrice


class _Box(Result):
    instance: BoxInstance


class _Priced(Result):
    """What is read of a decision.json for its prices."""

    self_host: _Box
    arms: tuple[_Arm, ...]


def load_prices(path: Path | None) -> UserPrices:
    """The file of `--prices`; without one, no prices.

    Raises:
        UsageError: not there, not YAML, or a price or key in it that cannot be; names file and key.
    """
    if path is None:
        return UserPrices()
    data = read_yaml(path, what="price")
    return _of_decision(data, path) if {"arms", "self_host"} <= data.keys() else user_prices(data, path)


def _of_decision(data: dict[str, Any], path: Path) -> UserPrices:
    priced = validate(_Priced, data, where=str(path))
    given = [part for arm in priced.arms for part in _listed(arm.price)]
    listed = [_price(price, f"{path}: {price.provider}:{price.model}") for price in given]
    box = priced.self_host.instance
    said = {
        "id": box.id,
        "region": box.region,
        "source": box.source,
        "checked_on": box.checked_on,
        "usd_per_hour": {box.purchase: box.usd_per_hour},
    }
    known = {key: value for key, value in said.items() if value is not None}
    row = validate(InstanceRow, known, where=f"{path}: self_host.instance")
    known_purchases(row, f"{path}: `self_host.instance")
    return UserPrices({api_key(price.provider, price.model): price for price in listed}, (row,))


def _listed(price: ArmPrice) -> tuple[ListedPrice, ...]:
    return price.parts if isinstance(price, MixPrice) else (price,)


def _price(listed: ListedPrice, where: str) -> ApiPrice:
    return ApiPrice(
        provider=listed.provider,
        model=listed.model,
        rates=_rates(listed, where),
        source=listed.source,
        tiers=_tiers(listed.tiers, where),
        batch=_rates(listed.batch, where) if listed.batch is not None else None,
        batch_tiers=_tiers(listed.batch_tiers, where),
        version=listed.version,
        digest=listed.digest,
        checked_on=listed.checked_on,
        label=listed.label,
        kind=listed.kind,
    )


def _tiers(tiers: tuple[PriceTier, ...], where: str) -> tuple[Tier, ...]:
    return tuple(Tier(tier.above_input_tokens, _rates(tier.rates, where)) for tier in tiers)


def _rates(rates: ListRates, where: str) -> Rates:
    """The rates, each as plausible as in a price file."""
    return validate(RatesRow, rates.model_dump(include=set(RatesRow.model_fields)), where=where).rates()
