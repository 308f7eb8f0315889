"""What a price is: the instance's by the hour and the API's by the token, each with its source and date."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
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
    """USD per million tokens. `cached_input` and `cache_write` None: the provider lists no such price."""

    input_usd_per_mtok: Usd
    output_usd_per_mtok: Usd
    cached_input_usd_per_mtok: Usd | None = None
    cache_write_usd_per_mtok: Usd | None = None

    def request_usd(
        self,
        input_tokens: float,
        output_tokens: float,
        *,
        cached_input_tokens: float = 0,
        cache_write_tokens: float = 0,
    ) -> float:
        """One request: ((in - cached - written) P_in + cached P_cr + written P_cw + out P_out) / 1e6.

        `input_tokens` includes the cached and the written ones. A missing cache price is the input price.
        Example: 800 in of which 600 cached at 0.30, 250 out, at 3/15, is 0.00453 USD.
        """
        plain = input_tokens - cached_input_tokens - cache_write_tokens
        return (
            plain * self.input_usd_per_mtok
            + cached_input_tokens * self.read
            + cache_write_tokens * self.write
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
    terms: ArmTerms = field(default_factory=ArmTerms)  # what the user's file says beside the price per token

    def rates_for(self, input_tokens: float) -> Rates:
        """The rates of one request with that many input tokens (cached ones included).

        Never pass a month's total: tiers go by the single request.
        """
        chosen = self.rates
        for tier in self.tiers:
            if input_tokens > tier.above_input_tokens:
                chosen = tier.rates
        return chosen

    def as_batch(self) -> ApiPrice:
        """The same model at its batch price; itself where none is listed."""
        return self if self.batch is None else replace(self, rates=self.batch, tiers=self.batch_tiers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON, the rates beside the rest; the date as ISO text."""
        out = asdict(self)
        rates, checked_on = out.pop("rates"), out.pop("checked_on")
        out["terms"] = self.terms.model_dump(exclude_unset=True)
        names = {"provider": out.pop("provider"), "model": out.pop("model")}
        return {**names, **rates, **out, "checked_on": checked_on.isoformat() if checked_on else None}


def age_days(checked_on: date | None, today: date) -> int | None:
    """Days since a price was checked; None when nobody said when."""
    return None if checked_on is None else (today - checked_on).days
