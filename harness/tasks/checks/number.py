"""The number of an answer, and whether it is near enough to the expected one.

Which number (`pick: last`): the first inside the last `\\boxed{}`; else the first after the last `####`, `answer:` or
`answer is`; else the last of the text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

from harness.base.text import printable
from harness.scenario.checkers import NumberChecker
from harness.tasks.checks.digits import Number, numbers_in, plain
from harness.tasks.checks.given import SOLVED, Check, Given, Outcome, Unusable

_BOXED = "\\boxed{"
_MARKER = re.compile(r"####|\banswer(?:\s+is)?\s*[:=]|\banswer\s+is\b", re.IGNORECASE)


def number_check(checker: NumberChecker) -> Check:
    """Whether the number of the answer is within the tolerance."""
    absolute, relative = Fraction(repr(checker.absolute)), Fraction(repr(checker.relative))

    def check(given: Given) -> Outcome:
        expected = expected_number(given.expected)
        text = plain(given.text)
        found = list(numbers_in(text))
        if not found:
            return Outcome(False, "no number in it")
        if checker.pick == "only" and len(found) > 1:
            return Outcome(False, f"{len(found)} numbers in it, where one was asked for")
        number = (_marked(text) or found[-1]) if checker.pick == "last" else found[0]
        if given.is_cut and not text[number.end :].strip(".,"):
            return Outcome(False, "its number may go on")
        off = min(
            abs(one - other) - max(absolute, relative * abs(other))
            for one in number.may_mean(expected)
            for other in expected.may_mean(number)
        )
        return SOLVED if off <= 0 else Outcome(False, f"{_shown(number)} is not the expected number")

    return check


def expected_number(expected: Any) -> Number:
    """The number that a task expects: a number, or a text that is nothing else.

    Raises:
        Unusable: it is neither.
    """
    text = plain(repr(expected) if isinstance(expected, int | float) else str(expected)).strip()
    found = list(numbers_in(text))
    if len(found) != 1 or found[0].end != len(text):
        raise Unusable(f"`expected` must be a number, got {printable(repr(expected))}")
    return found[0]


def _marked(text: str) -> Number | None:
    """The number that the answer itself says is its result."""
    boxed = text.rfind(_BOXED)
    starts = [boxed + len(_BOXED)] if boxed >= 0 else [found.end() for found in _MARKER.finditer(text)][-1:]
    return next((number for start in starts for number in numbers_in(text, start)), None)


def _shown(number: Number) -> str:
    value = Decimal(number.value.numerator) / Decimal(number.value.denominator)
    return f"{value:.12g}{' %' if number.is_percent else ''}"
