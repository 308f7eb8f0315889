"""What a price is: the instance's by the hour and the API's by the token, each with its source and date."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from harness.base.terms import ArmTerms
from harness.base.units import TOKENS_PER_MTOK

PURCHASES = ("on_demand", "reserved_1m", "reserved_1y", "reserved_3y", "spot", "owned")
COMMITTED = ("reserved_1m", "reserved_1y", "reserved_3y", "owned")  # paid whether it runs or not
STALE_AFTER_DAYS = 90
LOWEST_USD, HIGHEST_USD = 1e-9, 1e9  # of an hour or a million tokens; beyond is a slip of the keyboard


def is_plausible(usd: float) -> bool:
    """Whether an hour or a million tokens can cost that: 1e-320 or 1e300 ends no computation well."""
    return usd == 0 or LOWEST_USD <= usd <= HIGHEST_USD


PLAUSIBLE = f"must be 0, or from {LOWEST_USD:g} to {HIGHEST_USD:g} USD"


def _plausible(usd: float) -> float:
    if not is_plausible(usd):
        raise PydanticCustomError("price", PLAUSIBLE)
    return usd


Usd = Annotated[float, AfterValidator(_plausible)]


@dataclass(frozen=True, slots=True)
class Quote:
    """A price in USD per hour, and who said so when; `checked_on` None: the source gave no date."""

    usd_per_hour: float
    source: str
    checked_on: date | None


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per million tokens. Of the cache None: the provider lists no such price; `_1h` is of what is kept an hour."""

    input_usd_per_mtok: Usd
    output_usd_per_mtok: Usd
    cached_input_usd_per_mtok: Usd | None = None
    cache_write_usd_per_mtok: Usd | None = None
    cache_write_1h_usd_per_mtok: Usd | None = None

    def request_usd(
        self,
        input_tokens: float,
        output_tokens: float,
        *,
        cached_input_tokens: float = 0,
        cache_write_tokens: float = 0,
        cache_write_1h_tokens: float = 0,
    ) -> float:
        """One request: ((in - cached - written) P_in + cached P_cr + written P_cw + out P_out) / 1e6.

        `input_tokens` includes the cached and the written ones, those kept an hour too. A missing cache price is the
        input price, a missing one for an hour that of a write.
        Example: 800 in of which 600 cached at 0.30, 250 out, at 3/15, is 0.00453 USD.
        """
        plain = input_tokens - cached_input_tokens - cache_write_tokens - cache_write_1h_tokens
        return (
            plain * self.input_usd_per_mtok
            + cached_input_tokens * self.read
            + cache_write_tokens * self.write
            + cache_write_1h_tokens * self.write_1h
            + output_tokens * self.output_usd_per_mtok
        ) / TOKENS_PER_MTOK

    @property
    def read(self) -> float:
        """USD per million tokens read from the cache."""
        return self.input_usd_per_mtok if self.cached_input_usd_per_mtok is None else self.cached_input_usd_per_mtok

    @property
    def write(self) -> float:
        """USD per million tokens written to the cache."""
        return self.input_usd_per_mtok if self.cache_write_usd_per_mtok is None else self.cache_write_usd_per_mtok

    @property
    def write_1h(self) -> float:
        """USD per million tokens written to the cache for an hour."""
        return self.write if self.cache_write_1h_usd_per_mtok is None else self.cache_write_1h_usd_per_mtok


def mean_rates(rates: Sequence[Rates], weights: Sequence[float] | None = None) -> Rates:
    """The rates of traffic that is spread so over these; what one of them lacks is unknown."""
    shares = [1.0] * len(rates) if weights is None else list(weights)

    def mean(name: str) -> float | None:
        values = [getattr(one, name) for one in rates]
        if None in values:
            return None
        return math.fsum(usd * share for usd, share in zip(values, shares, strict=True)) / math.fsum(shares)

    return _each_rate(mean)


def _each_rate(of: Callable[[str], float | None]) -> Rates:
    return Rates(**{rate.name: of(rate.name) for rate in fields(Rates)})  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Change:
    """Announced rates and tiers, and the day they begin."""

    starts_on: date
    rates: Rates
    tiers: tuple[Tier, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a listed price that nothing here prices, in words; `is_due`: text alone may have to pay it."""

    words: str
    is_due: bool


@dataclass(frozen=True, slots=True)
class Tier:
    """Rates of every token of a request whose input is above the threshold (a cliff, not a bracket)."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What one provider asks for one model, by its own ids, with what is needed to look it up again."""

    provider: str
    model: str
    rates: Rates
    source: str  # "genai-prices", or the user's file
    tiers: tuple[Tier, ...] = ()  # ascending
    batch: Rates | None = None
    batch_tiers: tuple[Tier, ...] = ()
    version: str | None = None  # of the price data
    digest: str | None = None  # sha256 of the price data
    checked_on: date | None = None  # the day the source was read; None: unknown
    label: str = ""  # a remark in words, e.g. that it stands in for another model
    kind: Literal["listed", "assumed"] = "listed"  # assumed: typed in by the user
    terms: ArmTerms = field(default_factory=ArmTerms)  # beside the price per token: a listed fee, the user's file
    by_hour: tuple[Rates, ...] = ()  # 24, of UTC, where the hour matters; `rates` is what a flat day comes to
    changes: tuple[Change, ...] = ()  # announced, in their order
    unused: tuple[Part, ...] = ()
    source_checked_on: date | None = None  # the day the source looked at the provider's own page; None: unknown
    retired_on: date | None = None  # the day from which nobody can buy it; None: none is known

    def rates_for(self, input_tokens: float) -> Rates:
        """The rates of one request with that many input tokens (cached ones included).

        Never pass a month's total: tiers go by the single request.
        """
        chosen = self.rates
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                chosen = tier.rates
        return chosen

    def on(self, day: date) -> ApiPrice:
        """The price as it will be that day, by what is announced; a batch price keeps its share of the standard one."""
        due = [change for change in self.changes if change.starts_on <= day]
        if not due:
            return self
        later = due[-1]
        batch = self.batch and _scaled(self.batch, self.rates, later.rates)
        return replace(self, rates=later.rates, tiers=later.tiers, batch=batch, batch_tiers=())

    def over(self, hours: Sequence[float] | None) -> ApiPrice:
        """The price of traffic with so much in each hour of a day or a week; None: the same in every hour."""
        if not self.by_hour or hours is None:
            return self
        of_day = [sum(hours[hour :: len(self.by_hour)]) for hour in range(len(self.by_hour))]
        return replace(self, rates=mean_rates(self.by_hour, of_day))

    @property
    def is_free(self) -> bool:
        """Whether it is listed at nothing at all."""
        free = self.rates.input_usd_per_mtok == self.rates.output_usd_per_mtok == 0
        return free and self.terms.usd_per_request == 0 and not self.tiers

    def is_retired(self, day: date) -> bool:
        """Whether nobody can buy it that day any more."""
        return self.retired_on is not None and self.retired_on <= day

    def as_batch(self) -> ApiPrice:
        """The same model at its batch price; itself where none is listed."""
        return self if self.batch is None else replace(self, rates=self.batch, tiers=self.batch_tiers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the rates beside the rest; the date as ISO text."""
        out = asdict(self)
        rates = out.pop("rates")
        out["terms"] = self.terms.model_dump(exclude_unset=True)
        names = {"provider": out.pop("provider"), "model": out.pop("model")}
        out["changes"] = [{**change, "starts_on": change["starts_on"].isoformat()} for change in out["changes"]]
        days = ("checked_on", "source_checked_on", "retired_on")
        return {**names, **rates, **out, **{day: out[day].isoformat() if out[day] else None for day in days}}


def _scaled(batch: Rates, before: Rates, after: Rates) -> Rates:
    """A batch price that follows the standard one, rate by rate."""

    def at(name: str) -> float | None:
        was, now, usd = (getattr(rates, name) for rates in (before, after, batch))
        return usd if not usd or not was or now is None else float(usd * now / was)

    return _each_rate(at)


def age_days(checked_on: date | None, today: date) -> int | None:
    """Days since a price was checked; None when nobody said when."""
    return None if checked_on is None else (today - checked_on).days
