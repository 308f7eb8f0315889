"""What an API arm takes for the demand's requests: each priced alone, in its own tier, then averaged."""

from collections.abc import Callable, Sequence

from harness.demand.demand import Request
from harness.prices.record import ApiPrice, Rates

Parts = Sequence[tuple[float, ApiPrice]]  # (calls per task, price): one part, or the models of a mix


def usd_per_call(price: ApiPrice, requests: Sequence[Request], tokens_ratio: float = 1) -> float:
    """Mean USD of a call over the requests' weights; every request in the tier of its own input tokens.

    `tokens_ratio` is how many tokens the API's tokenizer makes of one token of the demand.
    """
    total = sum(row.weight for row in requests)
    return sum(row.weight * _request_usd(price, row, tokens_ratio) for row in requests) / total


def _request_usd(price: ApiPrice, row: Request, ratio: float) -> float:
    return price.rates_for(ratio * row.input_tokens).request_usd(
        ratio * row.input_tokens,
        ratio * row.output_tokens,
        cached_input_tokens=ratio * row.cached_input_tokens,
        cache_write_tokens=ratio * row.cache_write_tokens,
        cache_write_1h_tokens=ratio * row.cache_write_1h_tokens,
    )


def effective_rates(parts: Parts, requests: Sequence[Request], tokens_ratio: float = 1) -> Rates:
    """One price for input, cached input and output that costs exactly what the requests cost one by one.

    `decide` knows one price per kind of token; tiers, cache writes, several models and another tokenizer are
    folded into token-weighted means. One model, one tier, no cache writes: the listed rates unchanged.
    """
    plain = len(parts) == 1 and parts[0][0] == 1 and tokens_ratio == 1
    if plain and not any(row.cache_write_tokens or row.cache_write_1h_tokens for row in requests):
        tiers = {parts[0][1].rates_for(row.input_tokens) for row in requests}
        if len(tiers) == 1:
            return tiers.pop()

    def mean(tokens_of: Callable[[Request], float], usd_of: Callable[[Request, Rates], float]) -> float:
        tokens = sum(row.weight * tokens_of(row) for row in requests)
        rows = requests if tokens > 0 else [_ONE_TOKEN_EACH]  # no such tokens: the listed price, for display
        usd = sum(
            calls * row.weight * usd_of(row, price.rates_for(tokens_ratio * row.input_tokens))
            for calls, price in parts
            for row in rows
        )
        return tokens_ratio * usd / (tokens or 1.0)

    return Rates(
        mean(_uncached_tokens, _uncached_usd),
        mean(lambda row: row.output_tokens, lambda row, r: row.output_tokens * r.output_usd_per_mtok),
        mean(lambda row: row.cached_input_tokens, lambda row, r: row.cached_input_tokens * r.read),
    )


def _uncached_tokens(row: Request) -> float:
    return row.input_tokens - row.cached_input_tokens


_ONE_TOKEN_EACH = Request(input_tokens=2, cached_input_tokens=1, output_tokens=1)


def _uncached_usd(row: Request, rates: Rates) -> float:
    """USD times a million of the input that was not read from the cache."""
    written = row.cache_write_tokens * rates.write + row.cache_write_1h_tokens * rates.write_1h
    plain = row.input_tokens - row.cached_input_tokens - row.cache_write_tokens - row.cache_write_1h_tokens
    return plain * rates.input_usd_per_mtok + written


def usd_per_mtok_blended(rates: Rates, input_per_output: float) -> float:
    """(r P_in + P_out)/(r + 1) at r input tokens for each output token; for display only.

    Example: 3/15 at 3.2 is 5.8571.
    """
    return (input_per_output * rates.input_usd_per_mtok + rates.output_usd_per_mtok) / (input_per_output + 1)
