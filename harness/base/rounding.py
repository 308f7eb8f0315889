"""Amounts and volumes as a person reads them, the same in a sentence, a table and a drawing. What is not known: n/a."""

import math
from itertools import pairwise

NA = "n/a"
MINUS = "\u2212"
MOST_DIGITS = 9


def significant(value: float | None, digits: int = 3) -> str:
    """`value` to so many significant digits, thousands separated: 0.6 is 0.600, 1234.5 is 1,234."""
    if value is None:
        return NA
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return _signed(f"{value:,.{decimals}f}")


def whole(value: float | None) -> str:
    """A count: 400,000."""
    return NA if value is None else _signed(f"{value:,.0f}")


def amount(value: float | None) -> str:
    """USD without the unit: 10,347 from 100 on, 25.40 from 1 on, else three digits (0.00615)."""
    if value is None or value == 0 or abs(value) >= 99.995:
        return whole(value)
    return _signed(f"{value:,.2f}") if abs(value) >= 0.995 else significant(value)


def usd(value: float | None) -> str:
    """`USD 10,347`, or n/a."""
    return NA if value is None else f"USD {amount(value)}"


def volume(tasks: float | None, digits: int = 3) -> str:
    """`2.76M`, `673k`, `950`: three significant digits unless more are asked for."""
    if tasks is None:
        return NA
    for size, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tasks >= 0.9995 * size:
            short = f"{tasks / size:.{digits}g}" if tasks < 999.5 * size else f"{tasks / size:,.0f}"
            return f"{short}{suffix}"
    return f"{tasks:.{digits}g}"


def volumes(*tasks: float) -> list[str]:
    """Volumes one after the other, each with as many digits as tell it from its neighbours, nine at most.

    Example: 354k, 16.31M and 16.34M, not "16.3M" twice. Equal ones stay equal.
    """
    digits = [3] * len(tasks)
    for i, (one, other) in enumerate(pairwise(tasks)):
        apart = next((d for d in range(3, MOST_DIGITS + 1) if volume(one, d) != volume(other, d)), 3)
        digits[i : i + 2] = [max(digits[i], apart), apart]
    return [volume(one, d) for one, d in zip(tasks, digits, strict=True)]


def span(low: str, high: str | None) -> str:
    """Two volumes as printed: `from 16.31M to 16.34M`, `from 3.43M on`, or `at 5M` where both are the same."""
    if high is None:
        return f"from {low} on"
    return f"at {low}" if low == high else f"from {low} to {high}"


def exact_volume(tasks: float) -> str:
    """`400,000`: the reader's own number, as he gave it."""
    return f"{tasks:,.0f}" if tasks == int(tasks) else f"{tasks:,.6g}"


def tasks_words(tasks: float) -> str:
    """`400,000 tasks`, `1 task`."""
    return f"{exact_volume(tasks)} task{'' if tasks == 1 else 's'}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
