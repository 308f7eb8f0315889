"""One checker each, made ready once and then asked for every answer: a dict of kinds is the registry.

A checker gives an `Outcome`; what it raises is for its caller to say (`harness.tasks.judge`, `harness.tasks.child`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.scenario.checkers import Checker, JsonSchemaChecker
from harness.tasks.checks.function import function_check
from harness.tasks.checks.given import Check, Given, Outcome, Unusable
from harness.tasks.checks.json_text import json_check
from harness.tasks.checks.number import number_check
from harness.tasks.checks.regex import regex_check
from harness.tasks.checks.words import exact_check, normalised_check

__all__ = ["APART", "Check", "Given", "Outcome", "Unusable", "ready_check"]

APART = frozenset({"json_schema", "regex", "function"})
"""Kinds whose patterns or code come from the user, who may not see that they never end: a process apart runs them."""


def _schema_check(checker: JsonSchemaChecker) -> Check:
    from harness.tasks.checks.schema import schema_check  # its library is in an extra

    return schema_check(checker)


_CHECKS: dict[str, Callable[[Any], Check]] = {
    "json": json_check,
    "json_schema": _schema_check,
    "regex": regex_check,
    "exact": exact_check,
    "normalised": normalised_check,
    "number": number_check,
    "function": function_check,
}


def ready_check(checker: Checker) -> Check:
    """The check that a checker means.

    Raises:
        Unusable: a schema that is none, a function that cannot be imported; in one line.
    """
    return _CHECKS[checker.kind](checker)
