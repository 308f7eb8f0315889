"""What an API asks, as decision.json keeps it: rates, tiers, announced changes, and who said so when.

Rates are USD per million tokens. Unknown is None, never 0.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from harness.rundir.result import Result

Day = date | None  # the day a source was read; None: unknown
PriceKind = Literal["listed", "assumed"]


class EffectiveRates(Result):
    """What the demand's own requests come to, after tiers, batches, mixes and tokenizers."""

    input_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None
    output_usd_per_mtok: float


class ListRates(EffectiveRates):
    """As a provider lists them."""

    cache_write_usd_per_mtok: float | None
    cache_write_1h_usd_per_mtok: float | None = None  # of what is kept for an hour


class PriceTier(Result):
    """Rates of a request with more input tokens than this."""

    above_input_tokens: int
    rates: ListRates


class PriceChange(Result):
    """Rates that are announced from a day on."""

    starts_on: date
    rates: ListRates
    tiers: tuple[PriceTier, ...]


class UnusedPart(Result):
    """A part of a listed price that is not priced; `is_due`: text alone may have to pay it."""

    words: str
    is_due: bool


class ListedPrice(ListRates):
    """What one provider asks for one model, and who said so when."""

    provider: str
    model: str
    source: str
    tiers: tuple[PriceTier, ...]
    batch: ListRates | None
    batch_tiers: tuple[PriceTier, ...]
    version: str | None
    digest: str | None
    checked_on: Day
    label: str
    kind: PriceKind
    terms: dict[str, float | None] = Field(
        default={}, description="Beside the price per token: a listed fee for each request, what the user's file says."
    )
    by_hour: tuple[ListRates, ...] = ()  # 24, of UTC; its own rates are what the demand's hours come to
    changes: tuple[PriceChange, ...] = ()
    unused: tuple[UnusedPart, ...] = ()
    source_checked_on: Day = None  # the day the source looked at the provider's own page; None: unknown
    retired_on: Day = None  # the day from which nobody can buy it; None: none is known


class PartPrice(ListedPrice):
    """One model of a mix."""

    calls_per_task: float


class ModelPrice(ListedPrice):
    """The price of an arm that is one model."""

    effective: EffectiveRates


class MixPrice(EffectiveRates):
    """The price of an arm of several models: its own rates are the effective ones."""

    provider: str
    model: str
    source: str
    version: str | None
    digest: str | None
    checked_on: Day
    kind: PriceKind
    parts: tuple[PartPrice, ...]

    @property
    def effective(self) -> EffectiveRates:
        """The same rates, under the name that an arm of one model has for them."""
        return self


ArmPrice = Annotated[MixPrice | ModelPrice, Field(union_mode="left_to_right")]
