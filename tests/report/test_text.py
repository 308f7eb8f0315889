import pytest

from harness.report import text


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.18, "180 ms"), (0.0249, "24.9 ms"), (1.9, "1.90 s"), (12.34, "12.3 s"), (None, "n/a")]
)
def test_a_duration_is_in_ms_below_a_second(seconds: float | None, expected: str) -> None:
    assert text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([2], "step 3"), ([0, 1], "steps 1, 2"), ([3, 0, 1, 2], "steps 1 to 4"), ([0, 1, 2, 5], "steps 1 to 3, 6")],
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
