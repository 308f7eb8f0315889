"""Looking prices up: instances in instances.yaml, API models by `provider:model`; the user's own always win.

A price that nobody gave is an error that names it, never 0.
"""

import difflib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.yamlfile import read_yaml, validate
from harness.prices import genai
from harness.prices.names import split_reference
from harness.prices.price_file import InstanceRow, PriceFile, UserPrices, api_key
from harness.prices.record import ApiPrice, Quote

CATALOG = Path(__file__).with_name("instances.yaml")


def resolve_api(reference: str, user_prices: UserPrices | None = None) -> ApiPrice:
    """Today's price of `provider:model`, however other tools spell the provider; the user's own wins.

    Raises:
        UsageError: not `provider:model`, or nobody gave a price for it; the hint has near names.
    """
    own = user_prices.api.get(reference.lower()) if user_prices is not None else None
    if own is not None:
        return own
    provider, model = split_reference(reference, genai.sellers_of)
    own = user_prices.api.get(api_key(provider, model)) if user_prices is not None else None
    return own if own is not None else genai.resolve(provider, model)


def tier_edges(user_prices: UserPrices) -> list[int]:
    """The input lengths above which some price changes, listed or the user's own, ascending."""
    own = {tier.above_input_tokens for price in user_prices.api.values() for tier in price.tiers}
    return sorted(genai.tier_edges() | own)


@cache
def _catalog_rows() -> tuple[InstanceRow, ...]:
    return tuple(validate(PriceFile, read_yaml(CATALOG, what="instance price"), where=str(CATALOG)).instances)


def load_instances(user_prices: UserPrices | None = None) -> list[InstanceRow]:
    """Every instance, the user's rows laid over ours (same id and region: what they give wins)."""
    rows = {(row.id, row.region): row for row in _catalog_rows()}
    for own in user_prices.instances if user_prices is not None else ():
        key = _key_of(own, rows)
        listed = rows.get(key, own)
        given = {name: getattr(own, name) for name in own.model_fields_set}
        theirs = listed.model_copy(update={**given, "usd_per_hour": own.usd_per_hour})
        both = {
            "provider": theirs.provider or "own",
            "usd_per_hour": {**listed.usd_per_hour, **own.usd_per_hour},
            "other_sources": {**listed.sources, **theirs.sources},
        }
        rows[key] = theirs.model_copy(update=both)
    return list(rows.values())


def _key_of(own: InstanceRow, rows: Iterable[tuple[str, str | None]]) -> tuple[str, str | None]:
    if "region" in own.model_fields_set:
        return own.id, own.region
    return next((key for key in rows if key[0] == own.id), (own.id, None))


def find_instance(reference: str, user_prices: UserPrices | None = None) -> InstanceRow:
    """The instance `id` (first region listed) or `id@region`.

    Raises:
        UsageError: unknown id or region; the hint has near names.
    """
    wanted, _, region = reference.partition("@")
    instances = load_instances(user_prices)
    same_id = [i for i in instances if i.id == wanted]
    if not same_id:
        names = sorted({i.id for i in instances})
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
        raise UsageError(
            f"unknown instance `{wanted}`",
            hint=(f"did you mean {' or '.join(f'`{n}`' for n in near)}? " if near else "")
            + "`breakeven prices list` shows all; your own go in a file for --prices FILE",
        )
    for instance in same_id:
        if not region or instance.region == region:
            return instance
    regions = ", ".join(i.region or "n/a" for i in same_id)
    raise UsageError(f"no price for `{wanted}` in region `{region}`", hint=f"known regions: {regions}")


def known_instance(reference: str | None, user_prices: UserPrices | None = None) -> InstanceRow | None:
    """The same, where it need not be listed; None: it is not, or none is named."""
    if reference is None:
        return None
    try:
        return find_instance(reference, user_prices)
    except UsageError:
        return None


def quote_for(instance: InstanceRow, purchase: str) -> Quote:
    """The hourly price of a purchase option.

    Raises:
        UsageError: no source gave one.
    """
    if purchase not in instance.quotes:
        raise UsageError(
            f"no `{purchase}` price for `{instance.id}` in {instance.region or 'any region'}",
            hint=f"known for --purchase: {', '.join(instance.quotes) or 'none'}; add yours in a file for --prices FILE",
        )
    return instance.quotes[purchase]
