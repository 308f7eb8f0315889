"""A price file: `api:` and `instances:` rows, checked so that whatever is wrong is named."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from harness.base.errors import UsageError
from harness.base.money import OF_A_MILLION
from harness.base.terms import ArmTerms
from harness.base.units import HOURS_PER_MONTH
from harness.base.yamlfile import Label, Strict, validate
from harness.prices.currency import Rate, in_usd
from harness.prices.own_box import MONTHS_PER_YEAR, Owned
from harness.prices.record import PURCHASES, ApiPrice, Quote, Rates, Tier, Usd

Name = Annotated[Label, Field(min_length=1)]
UsdPerMtok = Annotated[Usd, OF_A_MILLION]


class Source(Strict):
    """Who gave the price of one purchase option, and when."""

    source: str
    checked_on: date | None = None


class InstanceRow(Strict):
    """A machine that rents by the hour; `usd_per_hour` by purchase option."""

    id: Name
    provider: str | None = None
    region: str | None = None
    gpu: str | None = None
    gpu_count: int = Field(default=0, ge=0)
    gpu_memory_gib: float | None = Field(default=None, gt=0)
    vcpu: int | None = Field(default=None, ge=1)
    ram_gib: float | None = Field(default=None, gt=0)
    usd_per_hour: dict[str, Usd] = Field(default_factory=dict)
    usd_per_month: dict[str, Usd] = Field(default={}, description="Prices of a month paid at once, by purchase option.")
    usd_per_year: dict[str, Usd] = Field(default={}, description="Prices of a year paid at once.")
    owned: Owned | None = Field(default=None, description="Hardware of your own: the purchase option `owned`.")
    source: str | None = None
    checked_on: date | None = None
    other_sources: dict[str, Source] = Field(default_factory=dict)
    spot_range_usd_per_hour: tuple[Usd, Usd] | None = None
    currency: str = "USD"

    @field_validator("spot_range_usd_per_hour")
    @classmethod
    def _ordered(cls, span: tuple[float, float] | None) -> tuple[float, float] | None:
        if span is not None and span[0] > span[1]:
            raise ValueError("must be [low, high]")
        return span

    def by_the_hour(self) -> "InstanceRow":
        """The same row with every price by the hour, those of a month (730 h) and a year among them."""
        hourly = {name: usd / HOURS_PER_MONTH for name, usd in self.usd_per_month.items()}
        hourly |= {name: usd / (MONTHS_PER_YEAR * HOURS_PER_MONTH) for name, usd in self.usd_per_year.items()}
        if self.owned is None:
            return self.model_copy(update={"usd_per_hour": {**self.usd_per_hour, **hourly}}) if hourly else self
        said = "; ".join(part for part in (self.source or "the user's own", self.owned.words()) if part)
        owned = {"owned": Source(source=said, checked_on=self.checked_on)}
        prices = {**self.usd_per_hour, **hourly, "owned": self.owned.usd_per_hour()}
        sources = {**self.other_sources, **owned}
        return self.model_copy(update={"usd_per_hour": prices, "other_sources": sources})

    @property
    def sources(self) -> dict[str, Source]:
        """Who gave the price of each purchase option."""
        own = Source(source=self.source or "the user's own price", checked_on=self.checked_on)
        return {purchase: self.other_sources.get(purchase, own) for purchase in self.usd_per_hour}

    @property
    def quotes(self) -> dict[str, Quote]:
        """Price and source by purchase option."""
        said = self.sources
        return {name: Quote(usd, said[name].source, said[name].checked_on) for name, usd in self.usd_per_hour.items()}


class RatesRow(Strict):
    """USD per million tokens."""

    input_usd_per_mtok: UsdPerMtok
    output_usd_per_mtok: UsdPerMtok
    cached_input_usd_per_mtok: UsdPerMtok | None = None
    cache_write_usd_per_mtok: UsdPerMtok | None = None
    cache_write_1h_usd_per_mtok: UsdPerMtok | None = None

    def rates(self) -> Rates:
        """The rates alone."""
        return Rates(**self.model_dump(include=set(RatesRow.model_fields)))


class TierRow(RatesRow):
    """Rates of requests with more input than this."""

    above_input_tokens: int = Field(gt=0)


class ApiRow(RatesRow, ArmTerms):
    """What a provider asks for a model: its price per token, and terms beside it."""

    provider: Name
    model: Name
    tiers: list[TierRow] = Field(default_factory=list)
    batch: RatesRow | None = None
    currency: str = "USD"
    source: str | None = None
    checked_on: date | None = None
    label: Label = ""


class PriceFile(Strict):
    """The whole file."""

    api: list[ApiRow] = Field(default_factory=list)
    instances: list[InstanceRow] = Field(default_factory=list)
    currencies: dict[str, Rate] = Field(default={}, description="Your rate and its day for each `currency` of a row.")


@dataclass(frozen=True, slots=True)
class UserPrices:
    """The user's own prices; they win over every other source."""

    api: dict[str, ApiPrice] = field(default_factory=dict)  # by "provider:model"
    instances: tuple[InstanceRow, ...] = ()  # a row of an instance that is listed needs only what differs


def user_prices(data: dict[str, Any], path: Path) -> UserPrices:
    """What a price file of the user's holds: `api:` and `instances:` rows, made USD by the hour and by the token.

    Raises:
        UsageError: unknown key, a currency without a rate, a row given twice, a price or a date that cannot be; names
            file and key.
    """
    given = validate(PriceFile, data, where=str(path))
    file = _in_usd(given, path)
    for n, instance in enumerate(file.instances):
        known_purchases(instance, f"{path}: `instances[{n}]")
    own = [_user_price(row, path) for row in file.api]
    kinds = [
        replace(price, kind="listed" if row.source else "assumed") for price, row in zip(own, given.api, strict=True)
    ]
    api = {api_key(price.provider, price.model): price for price in kinds}
    _check_rows("api", file.api, [api_key(row.provider, row.model) for row in file.api], path)
    ids = [row.id + (f"@{row.region}" if row.region else "") for row in file.instances]
    _check_rows("instances", file.instances, ids, path)
    return UserPrices(api, tuple(instance.by_the_hour() for instance in file.instances))


def _in_usd(file: PriceFile, path: Path) -> PriceFile:
    for name, rate in file.currencies.items():
        _not_in_the_future(rate.checked_on, f"{path}: `currencies.{name}")
    rows: dict[str, list[Any]] = {"api": [], "instances": []}
    for part, given in (("api", file.api), ("instances", file.instances)):
        for n, row in enumerate(given):
            plain = row.model_dump(exclude_unset=True)
            rows[part].append(in_usd(plain, file.currencies, f"{path}: `{part}[{n}]"))
    return validate(PriceFile, rows, where=f"{path}, in USD")


def api_key(provider: str, model: str) -> str:
    """What a user's API price is found by."""
    return f"{provider}:{model}".lower()


def _check_rows(part: str, rows: Sequence[ApiRow | InstanceRow], names: Sequence[str], path: Path) -> None:
    """Rows checked until today, and each given once: of two nobody could say which was used."""
    first: dict[str, int] = {}
    for n, (row, name) in enumerate(zip(rows, names, strict=True)):
        where = f"{path}: `{part}[{n}]"
        others = row.other_sources.values() if isinstance(row, InstanceRow) else ()
        for day in (row.checked_on, *(other.checked_on for other in others)):
            _not_in_the_future(day, where)
        if name in first:
            raise UsageError(
                f"{where}`: {name} is given twice, first in `{part}[{first[name]}]`",
                hint="leave one out; an instance has all its purchase options in one row",
            )
        first[name] = n


def _not_in_the_future(day: date | None, where: str) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # where the user is it may be tomorrow already
    if day is not None and day > tomorrow:
        raise UsageError(
            f"{where}.checked_on`: {day} is in the future", hint="the day on which you looked the price up"
        )


def known_purchases(row: InstanceRow, where: str) -> None:
    """Whether every price of a row is of a purchase option that there is.

    Raises:
        UsageError: one is not; names it after `where`.
    """
    named = {"usd_per_hour": (*row.usd_per_hour, *row.other_sources)}
    named |= {"usd_per_month": tuple(row.usd_per_month), "usd_per_year": tuple(row.usd_per_year)}
    for key, purchase in ((key, purchase) for key, purchases in named.items() for purchase in purchases):
        if purchase not in PURCHASES:
            raise UsageError(
                f"{where}.{key}`: unknown purchase option `{purchase}`", hint=f"known: {', '.join(PURCHASES)}"
            )


def _user_price(row: ApiRow, path: Path) -> ApiPrice:
    return ApiPrice(
        **row.model_dump(include={"provider", "model", "checked_on", "label"}),
        rates=row.rates(),
        tiers=tuple(
            Tier(t.above_input_tokens, t.rates()) for t in sorted(row.tiers, key=lambda t: t.above_input_tokens)
        ),
        batch=row.batch.rates() if row.batch else None,
        source=row.source or f"the user's file {path.name}",
        terms=ArmTerms(**{name: getattr(row, name) for name in ArmTerms.model_fields if name in row.model_fields_set}),
    )
