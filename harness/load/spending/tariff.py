"""What an API asks for a request, in exact arithmetic: whole pico-USD, rounded up."""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

PICO_PER_USD = 10**12
_PICO_PER_MTOK_PRICE = 10**6  # pico-USD that one token costs at 1 USD for a million


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """USD per million tokens; where a price goes by the hour, the dearest hour's."""

    input_usd_per_mtok: float
    cached_usd_per_mtok: float  # read from the API's cache
    written_usd_per_mtok: float  # written to it, for as long as is dearest
    output_usd_per_mtok: float

    @property
    def dearest_input(self) -> float:
        """Of a token of the prompt, whatever is done with it."""
        return max(self.input_usd_per_mtok, self.cached_usd_per_mtok, self.written_usd_per_mtok)


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices of a whole request whose prompt is longer than this."""

    above_input_tokens: int
    prices: TokenPrices


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an API has told of a request it answered. `written`: None where it does not tell."""

    input_tokens: int  # cached and written ones among them
    output_tokens: int  # reasoning among them
    cached_tokens: int = 0
    written_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """The most tokens that a request can be billed for."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """One arm's prices: of tokens, of a request, and what comes on top of both."""

    prices: TokenPrices
    tiers: list[PriceTier] = field(default_factory=list)  # ascending
    usd_per_request: float = 0.0
    surcharge: float = 0.0  # share on top; 0.055 is 5.5 %

    def cost_pico(self, usage: Usage) -> int:
        """What a request has cost. Where an API lists a dearer price for what it writes to its cache and does not tell
        how much it wrote, all that it did not read from there was written.

        Example: 1,000 in of which 400 cached at 0.30, 100 out, at 3/15, is 0.00342 USD.
        """
        prices = self.prices
        for tier in self.tiers:
            if usage.input_tokens > tier.above_input_tokens:
                prices = tier.prices
        cached = min(usage.cached_tokens, usage.input_tokens)
        fresh = usage.input_tokens - cached
        written = fresh if usage.written_tokens is None else min(usage.written_tokens, fresh)
        dearer = max(prices.written_usd_per_mtok, prices.input_usd_per_mtok)
        return self._pico(
            (fresh - written, prices.input_usd_per_mtok),
            (written, dearer),
            (cached, prices.cached_usd_per_mtok),
            (usage.output_tokens, prices.output_usd_per_mtok),
        )

    def most_pico(self, bound: Bound) -> int:
        """The most that a request of at most so many tokens can cost: each at the dearest price that may apply."""
        reach = [tier.prices for tier in self.tiers if tier.above_input_tokens < bound.input_tokens]
        return self._pico(
            (bound.input_tokens, max(prices.dearest_input for prices in (self.prices, *reach))),
            (bound.output_tokens, max(prices.output_usd_per_mtok for prices in (self.prices, *reach))),
        )

    def _pico(self, *parts: tuple[int, float]) -> int:
        tokens = sum((count * _exact(usd) for count, usd in parts), start=Fraction(0)) * _PICO_PER_MTOK_PRICE
        return math.ceil((tokens + _exact(self.usd_per_request) * PICO_PER_USD) * (1 + _exact(self.surcharge)))


@cache
def _exact(number: float) -> Fraction:
    """A number as it was written: 0.1 is a tenth."""
    return Fraction(repr(number))


def usd(pico: int) -> float:
    """For a file, or a person."""
    return pico / PICO_PER_USD
