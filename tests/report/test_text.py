import math

import pytest

from harness.report import text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.6, "0.600"),
        (0.2561879, "0.256"),
        (1234.5, "1,234"),  # half to even
        (12.34, "12.3"),
        (0, "0"),
        (-3.5, "−3.50"),
        (None, "n/a"),
        (math.nan, "n/a"),
        (math.inf, "n/a"),
        ("7", "n/a"),
        (True, "n/a"),
    ],
)
def test_a_number_has_three_digits_and_an_unknown_one_is_said_to_be_unknown(
    value: object, expected: str
) -> None:
    assert text.significant(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (400_000, "400,000"),
        (2_755_737.669, "2.76M"),
        (3_153_600, "3.15M"),
        (1.24e9, "1.24B"),
        (1e6, "1M"),
        (2.5, "2.5"),
    ],
)
def test_a_volume_is_short_from_a_million_on(value: float, expected: str) -> None:
    assert text.volume(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (10347.2266, "USD 10,347"),
        (99.999, "USD 100"),
        (41.1525, "USD 41.15"),
        (0.00615, "USD 0.00615"),
        (0, "USD 0.00"),
        (None, "n/a"),
    ],
)
def test_money_is_rounded_to_what_a_reader_can_use(value: float | None, expected: str) -> None:
    assert text.usd(value) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.18, "180 ms"), (0.0249, "24.9 ms"), (1.9, "1.90 s"), (12.34, "12.3 s"), (None, "n/a")],
)
def test_a_duration_is_in_ms_below_a_second(seconds: float | None, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([2], "step 3"),
        ([0, 1], "steps 1, 2"),
        ([3, 0, 1, 2], "steps 1 to 4"),
        ([0, 1, 2, 5], "steps 1 to 3, 6"),
    ],
)
def test_steps_in_a_row_count_from_one_and_are_written_as_a_range(numbers: list[int], expected: str) -> None:
    assert text.steps(numbers) == expected


def test_text_from_outside_loses_what_could_steer_a_terminal_or_a_page() -> None:
    cleaned = text.clean("a\x1b[31mb\nc\u202ed\u0000e" + "x" * 1000)

    assert cleaned.startswith("a [31mb c d e")
    assert len(cleaned) == 300
    assert cleaned.endswith("…")


def test_a_listed_price_is_printed_as_listed() -> None:
    assert [text.price(p) for p in (5.672, 0.05, 3, 0.08925)] == ["5.672", "0.05", "3", "0.08925"]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (3_150_000, 3_430_000, "3.15M to 3.43M"),
        (16_310_000, 16_340_000, "16.31M to 16.34M"),
        (16_311_200, 16_311_700, "16.311M to 16.312M"),
        (20_000, 20_000, "20,000 to 20,000"),
    ],
)
def test_two_volumes_have_the_digits_that_tell_them_apart(low: float, high: float, shown: str) -> None:
    assert text.span(low, high) == shown
