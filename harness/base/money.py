"""Prices as people type them: of a million tokens, never of one."""

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from harness.base.units import TOKENS_PER_MTOK

LOWEST_USD_PER_MTOK = 5e-4  # nobody sells a million tokens for less; as the price of one it is 500 a million
LOWEST_USD_OF_A_TOKEN = 1e-10


def _of_a_million(usd: float) -> float:
    """The price, unless it must be that of one token, which is refused with the factor."""
    if LOWEST_USD_OF_A_TOKEN <= usd < LOWEST_USD_PER_MTOK:
        right = f"{usd * TOKENS_PER_MTOK:g}"
        raise PydanticCustomError(
            "price_of_a_token",
            "must be the price of a million tokens, and looks like that of one",
            {"hint": f"times {TOKENS_PER_MTOK:,} it is {right}: write {right}"},
        )
    return usd


OF_A_MILLION = AfterValidator(_of_a_million)
