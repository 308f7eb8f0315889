"""API prices out of the genai-prices package: its bundled data only, its fuzzy matching kept in check.

The package is imported inside functions: it takes about a second, and a user with own prices never needs it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.base.errors import UsageError
from harness.base.terms import ArmTerms
from harness.base.units import HOURS_PER_DAY
from harness.prices.record import ApiPrice, Change, Part, Rates, Tier, mean_rates
from harness.prices.second_list import retired_on

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

SOURCE = "genai-prices"

# The package carries no dates, neither its own nor its prices'. What can be said of a release is the day we read
# it; of a release we never read, nothing, and the report says so. A date here vouches for no single price.
CHECKED_ON = {"5f4d8e175a91cf23cac17da33a4daa60a6a6c49525109c97e93db220d5197206": date(2026, 11, 24)}

_BATCH = {"processing": "batch"}  # exact and case-sensitive: anything else silently gives the standard price
_QUARTERS = 4  # of an hour: windows by the time of day begin at full or half hours
_CHECKED = re.compile(r"checked (?:on )?(20\d\d-\d\d-\d\d)")


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
    at = _noon(datetime.now(UTC).date())
    prices = (model.get_prices(at) for provider in _providers() for model in provider.models)
    return {tier.start for price in prices for key in _KEYS for tier in getattr(getattr(price, key, None), "tiers", ())}


def sellers_of(model_id: str) -> list[str]:
    """The providers that list a model of exactly that id."""
    return [provider for provider, model in hosted_models() if model.lower() == model_id.strip().lower()]


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
    today = datetime.now(UTC).date()
    standard = _on(model, today)
    if standard is None:
        raise UsageError(
            f"`{provider.id}:{model.id}` has no price per input and output token in {SOURCE}",
            hint="give its price in a file for --prices FILE",
        )
    has_batch = any(variant.when == _BATCH for variant in model.price_variants or ())
    batch = _rates(model.get_prices(_noon(today), _BATCH)) if has_batch else None
    version, digest = data_digest()
    listed = model.get_prices(_noon(today))
    fee = (_at(listed.requests_kcount, 0) or 0.0) / 1000  # listed by the thousand
    return ApiPrice(
        provider=provider.id,
        model=model.id,
        rates=standard.rates,
        tiers=standard.tiers,
        batch=batch.rates if batch is not None else None,
        batch_tiers=batch.tiers if batch is not None else (),
        source=SOURCE,
        version=version,
        digest=digest,
        checked_on=CHECKED_ON.get(digest),
        label=_label(provider, model, standard),
        terms=ArmTerms(usd_per_request=fee) if fee else ArmTerms(),
        by_hour=standard.by_hour,
        changes=_changes(model, today),
        unused=_unused(listed),
        source_checked_on=_source_checked_on(model),
        retired_on=retired_on(provider.id, model.id),
    )


def _label(provider: Provider, model: ModelInfo, standard: _Asked) -> str:
    said, gone = [], retired_on(provider.id, model.id)
    if gone is not None:
        said.append(f"{'retired' if gone <= datetime.now(UTC).date() else 'to be withdrawn'} on {gone}")
    elif model.deprecated:
        said.append("deprecated by the provider")
    if standard.rates.input_usd_per_mtok == standard.rates.output_usd_per_mtok == 0:
        said.append("free of charge, as listed")
    if standard.by_hour:
        said.append("its price goes by the hour (UTC)")
    return "; ".join(said)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked on a day, or at an hour of it."""

    rates: Rates
    tiers: tuple[Tier, ...]
    by_hour: tuple[Rates, ...] = ()


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12, tzinfo=UTC))


def _on(model: ModelInfo, day: date) -> _Asked | None:
    """The price of a day: hour by hour where the hour matters, else its price at noon."""
    at_noon = _rates(model.get_prices(_noon(day)), is_free=model.id.endswith(":free"))
    if at_noon is None or not isinstance(model.prices, list):
        return at_noon
    midnight = datetime.combine(day, time(0, tzinfo=UTC))
    quarters = [midnight + timedelta(hours=n / _QUARTERS) for n in range(HOURS_PER_DAY * _QUARTERS)]
    asked = [found.rates for at in quarters if (found := _rates(model.get_prices(at)))]
    if len(asked) < len(quarters) or len(set(asked)) == 1:
        return at_noon
    by_hour = tuple(mean_rates(asked[n : n + _QUARTERS]) for n in range(0, len(asked), _QUARTERS))
    return _Asked(mean_rates(by_hour), at_noon.tiers, by_hour)


def _changes(model: ModelInfo, today: date) -> tuple[Change, ...]:
    """What is announced to be another price from a later day on."""
    if not isinstance(model.prices, list):
        return ()
    starts = {getattr(price.constraint, "start_date", None) for price in model.prices}
    found = []
    for day in sorted(day for day in starts if day is not None and day > today):
        asked = _on(model, day)
        if asked is not None:
            found.append(Change(day, asked.rates, asked.tiers))
    return tuple(found)


def _source_checked_on(model: ModelInfo) -> date | None:
    """The day that the package's own remark on a price gives, where it gives one."""
    found = _CHECKED.findall(model.price_comments or "")
    return max(map(date.fromisoformat, found), default=None)


_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
_USED = {*_KEYS, "requests_kcount"}
_DUE = ("reasoning", "citation", "image")  # an answer may hold them, though nobody asked by more than text
_UNITS = {"mtok": "USD/Mtok", "kcount": "USD per 1,000", "hours": "USD/h", "kpages": "USD per 1,000 pages"}


def _unused(listed: Any) -> tuple[Part, ...]:
    """The parts of a price that nothing here prices, in words."""
    found = []
    for key, value in vars(listed).items():
        if value is None or key in _USED:
            continue
        name, _, unit = key.rpartition("_")
        words = f"{name.replace('_', ' ')} {_at(value, 0):g} {_UNITS.get(unit, unit)}"
        found.append(Part(words, any(kind in key for kind in _DUE)))
    return tuple(found)


def _rates(price: Any, *, is_free: bool = False) -> _Asked | None:
    """Base rates and tiers; None unless input and output both have a price. 0 is one where both are 0 and listed."""
    values = [getattr(price, key, None) for key in _KEYS]
    if is_free and values[0] is values[1] is None:
        return _Asked(Rates(0.0, 0.0), ())
    if values[0] is None or values[1] is None:
        return None
    base = Rates(*(_at(value, 0) for value in values))
    starts = sorted({tier.start for value in values for tier in getattr(value, "tiers", ())})
    return _Asked(base, tuple(Tier(start, Rates(*(_at(value, start + 1) for value in values))) for start in starts))


def _at(value: Any, input_tokens: int) -> Any:
    """A price at a request of that size; `value` is None, a Decimal, or base and tiers."""
    if value is None:
        return None
    chosen = getattr(value, "base", value)
    for tier in getattr(value, "tiers", ()):
        if input_tokens > tier.start:
            chosen = tier.price
    return float(chosen)
