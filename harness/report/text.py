"""Numbers and names as a person reads them. The only place where seconds become ms and money is rounded.

Everything that comes from outside (a model's name, an error's text) passes through `clean` before it is
printed anywhere: it may hold control characters, terminal escapes or text that runs right to left.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

NA = "n/a"
MINUS = "\u2212"
MS_PER_S = 1000

ROLES = {
    "frontier": "frontier API",
    "same_weights": "same open weights, hosted",
    "cheap": "cheap API",
    "user": "your API",
}

_UNPRINTABLE = {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}
_LONGEST_NAME = 300  # characters; an error page that became a "model name" must not fill the report


def clean(value: Any) -> str:
    """Text from outside on one line: no control or direction characters, at most 300 characters."""
    text = "".join(" " if unicodedata.category(c) in _UNPRINTABLE else c for c in str(value))
    text = re.sub(r" +", " ", text).strip()
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def number(value: Any) -> float | None:
    """A finite number as a float; None for anything else (absent, null, NaN, text, true)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def significant(value: Any, digits: int = 3) -> str:
    """`value` to so many significant digits, thousands separated: 0.6 is 0.600, 1234.5 is 1,235."""
    x = number(value)
    if x is None:
        return NA
    if x == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(x))))
    return f"{x:,.{decimals}f}".replace("-", MINUS)


def whole(value: Any) -> str:
    """A count: 400,000."""
    x = number(value)
    return NA if x is None else f"{x:,.0f}".replace("-", MINUS)


def volume(value: Any, digits: int = 3) -> str:
    """Tasks a month: whole below a million, else 2.76M or 1.24B."""
    x = number(value)
    if x is None:
        return NA
    for size, letter in ((1e9, "B"), (1e6, "M")):
        if abs(x) >= size:
            return f"{_plain(x / size, digits)}{letter}"
    return whole(x) if abs(x) >= 1000 else _plain(x, digits)


def span(low: Any, high: Any) -> str:
    """`16.31M to 16.34M`: two volumes, with as many digits as it takes to tell them apart."""
    ends = [(volume(low, digits), volume(high, digits)) for digits in range(3, 10)]
    first, last = next((pair for pair in ends if pair[0] != pair[1]), ends[0])
    return f"{first} to {last}"


def _plain(x: float, digits: int = 3) -> str:
    """Three significant digits unless more are asked for, without zeros that say nothing."""
    text = significant(x, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: Any) -> str:
    """An amount of USD without its unit: 10,347 from 100 on, 25.40 from 1 on, else three digits (0.00615)."""
    x = number(value)
    if x is None:
        return NA
    if abs(x) >= 99.995:
        return f"{x:,.0f}".replace("-", MINUS)
    return f"{x:,.2f}".replace("-", MINUS) if abs(x) >= 0.995 or x == 0 else significant(x)


def per_task(value: Any) -> str:
    """USD of one task: at most four significant digits, 0.00615."""
    text = significant(value, 4)
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd(value: Any) -> str:
    """`USD 10,347`, or n/a."""
    text = amount(value)
    return text if text == NA else f"USD {text}"


def price(value: Any) -> str:
    """A listed price as it was listed, never rounded: 5.672, 0.05, 3."""
    x = number(value)
    return NA if x is None else f"{x:,.10g}"


def duration(value: Any) -> str:
    """Seconds for a reader: `180 ms` below one second, `1.90 s` above."""
    x = number(value)
    if x is None:
        return NA
    return f"{significant(x * MS_PER_S)} ms" if abs(x) < 1 else f"{significant(x)} s"


def rate(value: Any) -> str:
    """Requests per second with its unit."""
    text = significant(value)
    return text if text == NA else f"{text} req/s"


def percent(value: Any) -> str:
    """A share of one as a percentage: 0.8 is `80 %`."""
    x = number(value)
    return NA if x is None else f"{_plain(x * 100)} %"


def interval(low: Any, high: Any, unit: str = "") -> str:
    """`0.550 to 0.650 req/s`, or why there is none."""
    if number(low) is None or number(high) is None:
        return "no interval: too few windows or runs"
    return f"{significant(low)} to {significant(high)}{unit and ' ' + unit}"


def role(name: Any) -> str:
    """An arm's role in words."""
    return ROLES.get(str(name), clean(name) if name else "API")


def count(n: int, noun: str, plural: str | None = None) -> str:
    """`1 step`, `3 steps`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def step_number(index: Any) -> str:
    """A step as people count them, from 1; data files count from 0."""
    x = number(index)
    return NA if x is None else whole(x + 1)


def steps(indices: list[int]) -> str:
    """Step numbers of people as ranges, from the data's: `steps 1 to 4, 6`."""
    parts: list[str] = []
    ordered = sorted({index + 1 for index in indices})
    start = 0
    for i, step in enumerate(ordered):
        if i + 1 < len(ordered) and ordered[i + 1] == step + 1:
            continue
        first = ordered[start]
        parts.append(
            str(first) if first == step else f"{first} to {step}" if step - first > 1 else f"{first}, {step}"
        )
        start = i + 1
    return f"step{'' if len(ordered) == 1 else 's'} {', '.join(parts)}"


INPUTS = {
    "tasks_per_month": "tasks a month",
    "goodput_requests_per_s": "goodput",
    "usd_per_hour": "price of an hour",
    "peak_to_mean": "peak to mean",
    "max_load": "load limit",
    "retry_failure_rate": "attempts that fail",
    "response_cache_hit_rate": "response cache hits",
    "api_price": "API price",
    "input_per_output_tokens": "input per output token",
    "people_usd_per_month": "people",
    "max_retries": "retries at most",
    "min_instances": "instances at least",
    "tokens_ratio": "tokens of the same text",
    "batch_share": "share sent as a batch",
    "human_usd_per_task": "a person who takes over a task",
    "startup_minutes": "start-up of an instance",
    "spot_interruptions_per_hour": "spot interruptions",
    "spot_recovery_minutes": "recovery from one",
}


def input_words(name: Any) -> str:
    """An input of the decision in words."""
    return INPUTS.get(str(name), clean(name).replace("_", " ") if name else NA)
