"""Where a second source gives another price: the second list for what the first one lists, that one for the user's."""

from harness.prices import genai
from harness.prices.record import ApiPrice
from harness.prices.second_list import SOURCE, Difference, compare, second_opinion


def differences(price: ApiPrice) -> list[Difference]:
    """Where a second source disagrees; empty when it agrees, does not know the model, or there is none."""
    if price.by_hour or price.is_free:
        return []  # the second list knows no hours
    if price.source == genai.SOURCE:
        second = second_opinion(price.provider, price.model)
        return [] if second is None else compare(price, second.rates, SOURCE)
    listed = genai.try_price(price.provider, price.model)
    return [] if listed is None else compare(price, listed.rates, genai.SOURCE)
