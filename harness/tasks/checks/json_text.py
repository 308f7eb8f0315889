"""JSON as an answer: as RFC 8259 has it, so no NaN, no comment, no text around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from harness.base.text import printable
from harness.scenario.checkers import JsonChecker
from harness.scenario.json_stream import json_problem
from harness.tasks.checks.given import SOLVED, Check, Given, Outcome

FENCE = re.compile(r"\s*(```|~~~)[^\n`]*\n(?P<inside>.*?)\n?\s*\1\s*", re.DOTALL)
_SHOWN_CHARS = 60


class NotJson(ValueError):
    """What is wrong, in a few words."""


def json_check(checker: JsonChecker) -> Check:
    """Whether the answer parses, and is what is expected where the task says it."""

    def check(given: Given) -> Outcome:
        try:
            value = parsed(given.text, fenced=checker.fenced)
        except NotJson as problem:
            return Outcome(False, str(problem))
        return as_expected(value, given)

    return check


def parsed(text: str, *, fenced: bool) -> Any:
    """The value of an answer.

    Raises:
        NotJson: it is none, or stands in a fence that is not allowed.
    """
    fence = FENCE.fullmatch(text)
    if fence is not None and fenced:
        text = fence["inside"]
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        if not text.strip():
            raise NotJson("not JSON: it is empty") from None
        if fence is not None:
            raise NotJson("not JSON: it stands in a code fence") from None
        place = f" at line {error.lineno} column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise NotJson(f"not JSON: {json_problem(error)}{place}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def as_expected(value: Any, given: Given) -> Outcome:
    """Whether it is the very value that the task expects, where it expects one."""
    if given.expected is None:
        return SOLVED
    place = next(differences(value, given.expected), None)
    return SOLVED if place is None else Outcome(False, f"not the expected value at {printable(place, _SHOWN_CHARS)}")


def differences(value: Any, expected: Any, place: str = "$") -> Iterator[str]:
    """Where two JSON values differ; 1 and 1.0 are one number, the order of keys says nothing."""
    if isinstance(value, dict) and isinstance(expected, dict):
        for key in [*expected, *(key for key in value if key not in expected)]:
            if key in value and key in expected:
                yield from differences(value[key], expected[key], f"{place}.{key}")
            else:
                yield f"{place}.{key}"
    elif isinstance(value, list) and isinstance(expected, list):
        for number, (one, other) in enumerate(zip(value, expected, strict=False)):
            yield from differences(one, other, f"{place}[{number}]")
        if len(value) != len(expected):
            yield f"{place}[{min(len(value), len(expected))}]"
    elif isinstance(value, bool) != isinstance(expected, bool) or value != expected:
        yield place
