"""A text that is expected: as it is, or but for case, punctuation, articles and blanks (as SQuAD's scorer has it)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from harness.scenario.checkers import ExactChecker, NormalisedChecker
from harness.tasks.checks.given import SOLVED, Check, Given, Outcome, Unusable

_ARTICLES = frozenset({"a", "an", "the"})
_SAYS_SOMETHING = frozenset("%#&@")  # 5 % is not 5, C# is not C
_MINUS = re.compile(r"(?<!\w)-(?=\.?\d)")
_KEPT_MINUS = "\0"


def exact_check(checker: ExactChecker) -> Check:  # noqa: ARG001
    """Whether the answer is the expected text, or one of them, but for blanks around it."""

    def check(given: Given) -> Outcome:
        same = given.text.strip() in {text.strip() for text in wanted(given.expected)}
        return SOLVED if same else Outcome(False, "not the expected text")

    return check


def normalised_check(checker: NormalisedChecker) -> Check:  # noqa: ARG001
    """Whether the two say the same words."""

    def check(given: Given) -> Outcome:
        expected = {normalised(text) for text in wanted(given.expected)}
        if "" in expected:
            raise Unusable("nothing of `expected` is left without punctuation and articles")
        return SOLVED if normalised(given.text) in expected else Outcome(False, "not the expected words")

    return check


def wanted(expected: Any) -> list[str]:
    """The texts of which one is expected."""
    return [str(one) for one in (expected if isinstance(expected, list) else [expected])]


def normalised(text: str) -> str:
    """Unicode's compatible form, casefolded; without punctuation but between digits, without English articles."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-").casefold()
    text = _MINUS.sub(_KEPT_MINUS, text)
    kept = "".join(_kept(text, place) for place in range(len(text))).replace(_KEPT_MINUS, "-")
    return " ".join(word for word in kept.split() if word not in _ARTICLES)


def _kept(text: str, place: int) -> str:
    one = text[place]
    if not unicodedata.category(one).startswith("P") or one in _SAYS_SOMETHING:
        return one
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if before.isdigit() and after.isdigit():
        return one
    return "" if one in "'’." else " "
