"""The number of an answer: which it is, how it is written, and how near it has to be."""

from fractions import Fraction
from typing import Any

import pytest
from task_cases import checked

from harness.tasks.checks import Unusable
from harness.tasks.checks.digits import numbers_in, plain
from harness.tasks.checks.number import expected_number

NUMBER = {"kind": "number"}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,234.5", ["1234.5"]),
        ("1.234,5 and 3,14 and 1.000.000", ["1234.5", "3.14", "1000000"]),
        ("1'234 and 1_234 and 1\u00a0234 and 1 234", ["1234", "1234", "1234", "1", "234"]),
        ("1e3, 1.5E-3 and 6.02 × 10^23", ["1000", "0.0015", "602000000000000000000000"]),
        ("-5, −5, -$5, $-5 and +5", ["-5", "-5", "-5", "-5", "5"]),
        ("10-5, GPT-4, - 5 apples and x=-3", ["10", "5", "4", "5", "-3"]),
        ("$1,000 US$5 5€ 5kg 2nd", ["1000", "5", "5", "5", "2"]),
        ("3/4, 1 1/2, 1½, ½ and \\frac{3}{4}", ["3/4", "3/2", "3/2", "1/2", "3/4"]),
        ("12/05/2024 and 2024-05-01 and 12:30", ["12", "5", "2024", "2024", "5", "1", "12", "30"]),
        ("1/0", []),
        ("1,2,3 and 10,20,30", ["1", "2", "3", "10", "20", "30"]),
        ("0,123", ["0.123"]),
        (".5 and ...5 and 5. and (5)", ["1/2", "5", "5", "5"]),
        ("v1.5, 1.2.3, 192.168.0.1, gpt4 and H2O", []),
        ("５０ and ٣ and \\$1{,}234", ["50", "3", "1234"]),
        ("12 / 4 = 3", ["3", "3"]),
        ("no number, not even one", []),
        ("", []),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, values: list[str]) -> None:
    assert [number.value for number in numbers_in(plain(text))] == [Fraction(value) for value in values]


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "1," * 20_000, "1/" * 20_000, "$" * 100_000, "1'" * 50_000, "-" * 100_000]
)
def test_no_text_is_read_for_ever(text: str) -> None:
    assert len(list(numbers_in(plain(text)))) <= len(text)


@pytest.mark.parametrize(
    ("text", "pick", "success"),
    [
        ("3 + 4 = 7", "last", True),
        ("3 + 4 = 7", "first", False),
        ("7 is 3 + 4", "first", True),
        ("7 is 3 + 4", "last", False),
        ("7 is 3 + 4", "only", False),
        ("It is 7.", "only", True),
        ("The answer is 7, which is 3 more than 4.", "last", True),
        ("Answer: 7\n(3 and 4 were added.)", "last", True),
        ("Answer: 6? No, 3 + 4. Answer: **7**. Checked 2 times.", "last", True),
        ("#### 7\nThat took 2 steps.", "last", True),
        ("so \\boxed{7} with 2 steps; the answer is 9", "last", True),
        ("The answer is not known: 3 or 7", "last", False),
        ("Answer:", "last", False),
        ("seven", "last", False),
    ],
)
def test_which_number_is_meant_is_a_rule(text: str, pick: str, success: bool) -> None:
    assert checked({**NUMBER, "pick": pick}, text, 7).success is success


@pytest.mark.parametrize(
    ("tolerance", "text", "expected", "success"),
    [
        ({"absolute": 0.1, "relative": 0}, "1.1", 1, True),  # exactly on the limit
        ({"absolute": 0.1, "relative": 0}, "1.10001", 1, False),
        ({"absolute": 0.1, "relative": 0}, "0.9", 1, True),
        ({"relative": 0.01}, "101", 100, True),
        ({"relative": 0.01}, "101.1", 100, False),
        ({"relative": 0.01}, "-99", -100, True),
        ({"relative": 0.01}, "0.001", 0, False),
        ({"absolute": 0.01, "relative": 0.01}, "0.001", 0, True),
        ({"relative": 0}, "12345678901234567891", 12345678901234567890, False),
        ({}, "1234567.1", 1234567, True),  # six digits by default
        ({}, "1,234", "1,234.00", True),
        ({}, "25 %", 25, True),
        ({}, "25 %", 0.25, True),
        ({}, "0.25", "25 %", True),
        ({}, "25", "25%", True),
        ({}, "0.25 %", "25 %", False),
        ({}, "1/3", "1/3", True),
        ({}, "0.333333", "1/3", True),
        ({}, "1e400", 5, False),
    ],
)
def test_a_tolerance_means_what_it_says(tolerance: dict[str, float], text: str, expected: Any, success: bool) -> None:
    assert checked({**NUMBER, **tolerance}, text, expected).success is success


@pytest.mark.parametrize(
    ("text", "success"),
    [("The answer is 12", False), ("It is 12.", False), ("It is 12 cm", True), ("12, because", True)],
)
def test_a_number_at_the_end_of_a_cut_answer_may_go_on(text: str, success: bool) -> None:
    assert checked(NUMBER, text, 12, is_cut=True).success is success
    assert checked(NUMBER, text, 12).success is True


@pytest.mark.parametrize("expected", ["twelve", "12 or 13", "12 cm", "", float("inf"), "1/0"])
def test_what_is_no_number_cannot_be_expected(expected: Any) -> None:
    with pytest.raises(Unusable, match="`expected` must be a number"):
        expected_number(expected)
