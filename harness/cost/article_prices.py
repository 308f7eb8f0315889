"""The prices that the audit of the article is worked out with: those it prints, those listed then, those of today."""

from dataclasses import dataclass

from harness.prices.catalog import find_instance, resolve_api
from harness.prices.record import Rates

BOX = "g5.12xlarge"
BOX_USD_PER_HOUR = 5.672

# (printed, list) rates. List: genai-prices 0.2.3 and a second list, which agreed on 2026-11-24.
PRICES: dict[str, tuple[Rates, Rates, str]] = {
    "GPT-4.1": (Rates(2.5, 10), Rates(2, 8), "GPT-4o"),
    "GPT-4.1-mini": (Rates(0.15, 0.6), Rates(0.4, 1.6), "GPT-4o-mini"),
    "Claude Opus 4.7": (Rates(15, 75), Rates(5, 25), "Opus 4.1"),
    "Claude Sonnet 4.6": (Rates(3, 15), Rates(3, 15), ""),
    "Claude Haiku 4.5": (Rates(0.8, 4), Rates(1, 5), "Claude 3.5 Haiku"),
    "Gemini 2.5 Pro": (Rates(1.25, 5), Rates(1.25, 10), "Gemini 1.5 Pro"),
}

_REFERENCES = {
    "GPT-4.1": "openai:gpt-4.1",
    "GPT-4.1-mini": "openai:gpt-4.1-mini",
    "Claude Opus 4.7": "anthropic:claude-opus-4-7",
    "Claude Sonnet 4.6": "anthropic:claude-sonnet-4-6",
    "Claude Haiku 4.5": "anthropic:claude-haiku-4-5",
    "Gemini 2.5 Pro": "google:gemini-2.5-pro",
}


@dataclass(frozen=True, slots=True)
class Book:
    """The prices that the figures are worked out with: (used, listed, whose) by model, and the box by purchase."""

    prices: dict[str, tuple[Rates, Rates, str]]
    box_usd_per_hour: dict[str, float]

    @property
    def on_demand(self) -> float:
        """The box, an hour."""
        return self.box_usd_per_hour["on_demand"]


def article_book() -> Book:
    """As the article has them; the box as it was listed then."""
    return Book(PRICES, {**_box_quotes(), "on_demand": BOX_USD_PER_HOUR})


def today_book() -> Book:
    """As the price list at hand has them: what would be right today."""
    listed = {name: resolve_api(reference).rates for name, reference in _REFERENCES.items()}
    return Book({name: (rates, rates, PRICES[name][2]) for name, rates in listed.items()}, _box_quotes())


def _box_quotes() -> dict[str, float]:
    return {purchase: quote.usd_per_hour for purchase, quote in find_instance(BOX).quotes.items()}
