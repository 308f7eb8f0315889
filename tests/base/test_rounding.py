import pytest

from harness.base.rounding import amount, exact_volume, significant, span, usd, volume, volumes


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.6, "0.600"),
        (0.2561879, "0.256"),
        (1234.5, "1,234"),  # half to even
        (12.34, "12.3"),
        (0, "0"),
        (-3.5, "−3.50"),
        (None, "n/a"),
    ],
)
def test_a_number_has_three_digits_and_an_unknown_one_is_said_to_be_unknown(value: float | None, shown: str) -> None:
    assert significant(value) == shown


@pytest.mark.parametrize(
    ("tasks", "shown"),
    [
        (0.5, "0.5"),
        (950, "950"),
        (673_261.8, "673k"),
        (999_600, "1M"),
        (2_755_737.7, "2.76M"),
        (3.4e9, "3.4B"),
        (None, "n/a"),
    ],
)
def test_volumes_have_three_digits(tasks: float | None, shown: str) -> None:
    assert volume(tasks) == shown


@pytest.mark.parametrize(("tasks", "shown"), [(400_000, "400,000"), (1234.5, "1,234.5")])
def test_the_readers_own_volume_is_printed_as_he_gave_it(tasks: float, shown: str) -> None:
    assert exact_volume(tasks) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10_347.2266, "USD 10,347"),
        (99.999, "USD 100"),
        (83.2, "USD 83.20"),
        (0.999, "USD 1.00"),
        (0.00615, "USD 0.00615"),
        (0, "USD 0"),
        (-1234.5, "USD −1,234"),
        (None, "n/a"),
    ],
)
def test_money_is_rounded_to_what_a_reader_can_use(value: float | None, shown: str) -> None:
    assert usd(value) == shown
    assert amount(value) == shown.removeprefix("USD ")


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (3_150_000, 3_430_000, "from 3.15M to 3.43M"),
        (16_310_000, 16_340_000, "from 16.31M to 16.34M"),
        (16_311_200, 16_311_700, "from 16.311M to 16.312M"),
        (20_000, 20_004, "from 20k to 20.004k"),
        (20_000, 20_000, "at 20k"),
        (3_430_000, None, "from 3.43M on"),
    ],
)
def test_two_volumes_have_the_digits_that_tell_them_apart(low: float, high: float | None, shown: str) -> None:
    ends = volumes(*(edge for edge in (low, high) if edge is not None))

    assert span(ends[0], ends[1] if high is not None else None) == shown


def test_only_neighbours_that_would_print_the_same_get_more_digits() -> None:
    assert volumes(353_769, 1_462_184, 16_273_385, 16_290_047, 50e6) == [
        "354k", "1.46M", "16.27M", "16.29M", "50M",
    ]  # fmt: skip
    assert volumes(16_273_000, 16_291_000, 16_291_400) == ["16.27M", "16.291M", "16.2914M"]
