"""Numbers and names as a person reads them; the only place where seconds become ms. Rounding is base's.

Everything that comes from outside (a model's name, an error's text) passes through `clean` before it is
printed anywhere: it may hold control characters, terminal escapes or text that runs right to left.
"""

import re
import unicodedata
from typing import Any

from harness.base.rounding import NA, significant
from harness.base.units import MS_PER_S
from harness.rundir.decision import Role
from harness.rundir.results import step_number

ROLES: dict[Role, str] = {
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


def per_task(value: float | None) -> str:
    """USD of one task: at most four significant digits, 0.00615."""
    return _plain(value, 4)


def _plain(value: float | None, digits: int = 3) -> str:
    """So many significant digits, without zeros that say nothing."""
    text = significant(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def price(value: float | None) -> str:
    """A listed price as it was listed, never rounded: 5.672, 0.05, 3."""
    return NA if value is None else f"{value:,.10g}"


def duration(value: float | None) -> str:
    """Seconds for a reader: `180 ms` below one second, `1.90 s` above."""
    if value is None:
        return NA
    return f"{significant(value * MS_PER_S)} ms" if abs(value) < 1 else f"{significant(value)} s"


def rate(value: float | None) -> str:
    """Requests per second with its unit."""
    return NA if value is None else f"{significant(value)} req/s"


def percent(value: float | None) -> str:
    """A share of one as a percentage: 0.8 is `80 %`."""
    return NA if value is None else f"{_plain(value * 100)} %"


def interval(low: float | None, high: float | None, why_not: str = "no interval: too few windows or runs") -> str:
    """`0.550 to 0.650`, or why there is none."""
    if low is not None and high is None:
        return f"{significant(low)} or more"
    if low is None or high is None:
        return why_not
    return f"{significant(low)} to {significant(high)}"


def count(n: int, noun: str) -> str:
    """`1 step`, `3 steps`."""
    return f"{n:,} {noun if n == 1 else noun + 's'}"


def steps(indices: list[int]) -> str:
    """Step numbers of people as ranges, from the data's: `steps 1 to 4, 6`."""
    parts: list[str] = []
    ordered = sorted({step_number(index) for index in indices})
    start = 0
    for i, step in enumerate(ordered):
        if i + 1 < len(ordered) and ordered[i + 1] == step + 1:
            continue
        first = ordered[start]
        parts.append(str(first) if first == step else f"{first} to {step}" if step - first > 1 else f"{first}, {step}")
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
    "solved_share": "tasks that the box solves",
    "api_solved_share": "tasks that the API solves",
    "max_retries": "retries at most",
    "min_instances": "instances at least",
    "tokens_ratio": "tokens of the same text",
    "batch_share": "share sent as a batch",
    "human_usd_per_task": "a person who takes over a task",
    "startup_minutes": "start-up of an instance",
    "spot_interruptions_per_hour": "spot interruptions",
    "spot_recovery_minutes": "recovery from one",
}


def input_words(name: str) -> str:
    """An input of the decision in words."""
    return INPUTS.get(name, clean(name).replace("_", " "))
