"""Amounts and volumes as a person reads them, the same in a sentence, a table and a drawing. What is not known: n/a."""

from __future__ import annotations

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
    """Volumes one after the other, with as many digits as it takes to tell neighbours apart, nine at most.

    Example: 16.31M and 16.34M are "16.31M" and "16.34M", not "16.3M" twice. Equal ones stay equal.
    """
    for digits in range(3, MOST_DIGITS + 1):
        shown = [volume(one, digits) for one in tasks]
        if all(a != b for a, b in pairwise(shown)):
            return shown
    return [volume(one) for one in tasks]


def span(low: float, high: float | None) -> str:
    """`from 16.31M to 16.34M`, `from 3.43M on`, or `at 5M` where both are the same."""
    if high is None:
        return f"from {volume(low)} on"
    first, last = volumes(low, high)
    return f"at {first}" if first == last else f"from {first} to {last}"


def exact_volume(tasks: float) -> str:
    """`400,000`: the reader's own number, as he gave it."""
    return f"{tasks:,.0f}" if tasks == int(tasks) else f"{tasks:,.6g}"


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
