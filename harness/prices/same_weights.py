"""Who hosts the run's own open weights, by its model's name."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from harness.base.weights_name import has_size, weights_key
from harness.prices import genai
from harness.prices.record import ApiPrice

_RESELLERS = frozenset({"openrouter", "github-copilot", "cursor"})  # their price is another host's plus a margin


def hosts_of(model: str, own: Sequence[ApiPrice] = ()) -> list[ApiPrice]:
    """Prices of the same weights at every host: the user's own where he gave some, else the listed ones.

    Resellers are left out where somebody hosts them himself. Empty when nobody does, or when the name says too
    little (no size) to be sure.
    """
    if not has_size(model):
        return []
    wanted = weights_key(model)
    given = [price for price in own if weights_key(price.model) == wanted]
    if given:
        return given
    found = [
        price
        for provider, name in genai.hosted_models()
        if not name.endswith(":free") and weights_key(name) == wanted
        if (price := genai.try_price(provider, name)) is not None and _is_sold(price)
    ]
    direct = [p for p in found if p.provider not in _RESELLERS and not p.provider.startswith("huggingface_")]
    return direct or found


def _is_sold(price: ApiPrice) -> bool:
    if price.is_retired(datetime.now(UTC).date()):
        return False
    return price.rates.input_usd_per_mtok > 0 and price.rates.output_usd_per_mtok > 0


def cheapest_host(
    model: str, usd_per_request: Callable[[ApiPrice], float], own: Sequence[ApiPrice] = ()
) -> tuple[ApiPrice, int] | None:
    """(the price of the host whose request is cheapest, number of hosts); None when nobody hosts it."""
    hosts = hosts_of(model, own)
    if not hosts:
        return None
    return min(hosts, key=lambda price: (usd_per_request(price), price.provider)), len(hosts)
