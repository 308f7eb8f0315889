"""A function of the user's: called with the answer and its task, in a process apart."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from harness.base.text import printable
from harness.scenario.checkers import FunctionChecker
from harness.tasks.checks.given import Check, Given, Outcome, Unusable

_WHY_CHARS = 200


def function_check(checker: FunctionChecker) -> Check:
    """What `module:function` says: True, False, or one of them and why, as a pair.

    Raises:
        Unusable: it cannot be imported, or called.
    """
    function = _imported(checker.function)

    def check(given: Given) -> Outcome:
        return _read(checker.function, function(given.text, dict(given.task)))

    return check


def _imported(name: str) -> Callable[[str, dict[str, Any]], Any]:
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except AttributeError:
        raise Unusable(f"{name}: the module {module} has no {attribute}") from None
    except BaseException as error:  # whatever a module does when it is imported, exits too
        raise Unusable(f"{name} cannot be imported: {said(error)}") from None
    if not callable(function):
        raise Unusable(f"{name} is no function but {printable(repr(function))}")
    return function  # type: ignore[no-any-return]


def _read(name: str, answer: object) -> Outcome:
    match answer:
        case bool():
            return Outcome(answer, "" if answer else f"{name} says no")
        case (bool(success), str(why)):
            return Outcome(success, "" if success else printable(why, _WHY_CHARS))
        case _:
            return Outcome(None, f"{name} gave {printable(repr(answer))}, which is neither True nor False")


def said(error: BaseException) -> str:
    """An exception in one line."""
    text = printable(" ".join(str(error).split()), _WHY_CHARS)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
