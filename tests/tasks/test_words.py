"""Texts that are expected, patterns that are looked for."""

from typing import Any

import pytest
from task_cases import checked

from harness.tasks.checks import Unusable


@pytest.mark.parametrize(
    ("text", "expected", "success"),
    [
        ("yes", "yes", True),
        (" yes\n", "yes", True),
        ("Yes", "yes", False),
        ("yes.", "yes", False),
        ("", "yes", False),
        ("5", 5, True),
        ("5.0", 5, False),
        ("b", ["a", "b"], True),
        ("c", ["a", "b"], False),
        ("e\u0301", "\u00e9", False),
        ("", "", True),
    ],
)
def test_exact_is_the_very_text_but_for_blanks_around_it(text: str, expected: Any, success: bool) -> None:
    assert checked({"kind": "exact"}, text, expected).success is success


@pytest.mark.parametrize(
    ("text", "expected", "success"),
    [
        ("**Billing.**", "billing", True),
        ("the Eiffel Tower!", "Eiffel tower", True),
        ("well-known", "well known", True),
        ("don’t", "don't", True),
        ("U.S.", "us", True),
        ("ＦＵＬＬ", "full", True),
        ("e\u0301te\u0301", "\u00e9t\u00e9", True),
        ("STRASSE", "straße", True),
        ("a  b\n c", "b c", True),
        ("billing support", "billing", False),
        ("", "billing", False),
        ("3.5", "35", False),
        ("3.5", "3.5.", True),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("5%", "5", False),
        ("C#", "C", False),
        ("C++", "C", False),
        ("10:30", "1030", False),
        ("yes", ["no", "Yes."], True),
    ],
)
def test_normalised_is_the_same_words(text: str, expected: Any, success: bool) -> None:
    assert checked({"kind": "normalised"}, text, expected).success is success


def test_an_expected_text_of_which_nothing_is_left_judges_nothing() -> None:
    with pytest.raises(Unusable, match="nothing of `expected` is left"):
        checked({"kind": "normalised"}, "the", "The!")


@pytest.mark.parametrize(
    ("pattern", "text", "success"),
    [
        (r"\bA-17\b", "Your order A-17 is on its way", True),
        (r"\bA-17\b", "Your order A-173 is on its way", False),
        (r"\Ayes\Z", "yes", True),
        (r"\Ayes\Z", "yes, sure", False),
        (r"(?i)YES", "well, yes", True),
        (r"(?s)a.b", "a\nb", True),
        (r"^b", "a\nb", False),
        ("ü", "über", True),
        ("x", "", False),
    ],
)
def test_a_pattern_is_found_anywhere_unless_it_says_where(pattern: str, text: str, success: bool) -> None:
    assert checked({"kind": "regex", "pattern": pattern}, text).success is success
