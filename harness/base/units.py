"""Unit constants shared by load, metrics and money. Inside, only seconds, tokens, bytes and USD exist."""

HOURS_PER_MONTH = 730
SECONDS_PER_HOUR = 3600
HOURS_PER_DAY = 24
DAYS_PER_MONTH = HOURS_PER_MONTH / HOURS_PER_DAY
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR  # 2,628,000
TOKENS_PER_MTOK = 1_000_000
NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
MS_PER_S = 1000


def usd_per_mtok(usd_per_hour: float, tokens_per_s: float) -> float:
    """Cost of one million tokens: usd_per_hour / (tokens_per_s * 3600) * 1e6.

    Example: 2.00 USD/h at 1000 tokens/s is 0.5556 USD per million. `tokens_per_s` must be above 0.
    """
    return usd_per_hour / (tokens_per_s * SECONDS_PER_HOUR) * TOKENS_PER_MTOK
