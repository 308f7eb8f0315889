"""The prices that the user gives: a price file, or an old decision.json, years later and with its dates kept."""

from pathlib import Path
from typing import Any

from harness.base.yamlfile import read_yaml, validate
from harness.prices.price_file import InstanceRow, RatesRow, UserPrices, api_key, known_purchases, user_prices
from harness.prices.record import ApiPrice
from harness.rundir.arm_price import ArmPrice, ListedPrice, MixPrice
from harness.rundir.decision import BoxInstance
from harness.rundir.result import Result


class _Plausible(Result):
    price: ApiPrice


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
    prices = [arm.price for arm in priced.arms]
    given = [one for price in prices for one in (price.parts if isinstance(price, MixPrice) else (price,))]
    listed = [_price(price, f"{path}: {price.provider}:{price.model}") for price in given]
    box = priced.self_host.instance
    said = box.model_dump(include={"id", "region", "source", "checked_on"}, exclude_none=True)
    said["usd_per_hour"] = {box.purchase: box.usd_per_hour}
    row = validate(InstanceRow, said, where=f"{path}: self_host.instance")
    known_purchases(row, f"{path}: `self_host.instance")
    return UserPrices({api_key(price.provider, price.model): price for price in listed}, (row,))


def _price(listed: ListedPrice, where: str) -> ApiPrice:
    """The price, each of its rates as plausible as in a price file."""
    rates = validate(RatesRow, listed.model_dump(include=set(RatesRow.model_fields)), where=where).rates()
    return validate(_Plausible, {"price": {**listed.model_dump(), "rates": rates}}, where=where).price
