"""Shares and pairs, against published examples and sums done by hand."""

import pytest

from harness.base.shares import Paired, wilson


@pytest.mark.parametrize(
    ("good", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, the score method
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilsons_interval_is_that_of_the_books(good: int, n: int, low: float, high: float) -> None:
    found = wilson(good, n)

    assert found is not None
    assert found == pytest.approx((good / n, low, high), abs=5e-5)


def test_a_share_of_nothing_is_unknown() -> None:
    assert wilson(0, 0) is None


@pytest.mark.parametrize(
    ("only_one", "only_other", "chance"),
    [
        (9, 1, 22 / 1024),  # (1 + 10) of 2^10 sequences, both ways
        (3, 3, 1.0),
        (5, 0, 2 / 32),
        (0, 0, 1.0),
        (6, 0, 2 / 64),
    ],
)
def test_pairs_differ_as_often_by_chance_as_fair_coins_do(only_one: int, only_other: int, chance: float) -> None:
    assert Paired(40, only_one, only_other, 10).chance == pytest.approx(chance)
    assert Paired(40, only_other, only_one, 10).chance == pytest.approx(chance)


def test_five_against_none_is_still_within_chance_and_six_is_not() -> None:
    assert not Paired(0, 5, 0, 0).differ
    assert Paired(0, 6, 0, 0).differ


def test_many_pairs_are_counted_by_the_normal_distribution() -> None:
    # 530 of 1,060 is the middle; 480 lies 50 - 0.5 below it, sqrt(1060/4) = 16.279 wide: z = 3.0407, two-sided 0.00236
    assert Paired(0, 580, 480, 0).chance == pytest.approx(0.00236, abs=2e-5)


@pytest.mark.parametrize(
    ("pairs", "value", "low", "high"),
    [
        (Paired(36, 12, 2, 0), 0.2, 0.0569, 0.3404),  # Newcombe 1998c, table II, method 10
        # Wilson 0.9023 to 0.9967 and 0.9336 to 1: -0.0185 - 0.0792, and -0.0185 + sqrt(0.0152^2 + 0.0664^2)
        (Paired(53, 0, 1, 0), -1 / 54, -0.0977, 0.0496),
        (Paired(0, 0, 0, 30), 0.0, -0.1135, 0.1135),  # Wilson's 0 to 0.1135 for 0 of 30, both ways
    ],
)
def test_the_difference_of_pairs_has_newcombes_interval(pairs: Paired, value: float, low: float, high: float) -> None:
    found = pairs.difference

    assert found is not None
    assert found == pytest.approx((value, low, high), abs=3e-4)


def test_two_that_solve_the_same_tasks_differ_less_than_two_that_solve_as_many_others() -> None:
    same, others = Paired(30, 6, 0, 24).difference, Paired(12, 24, 18, 6).difference

    assert same is not None
    assert others is not None
    assert same.value == others.value == pytest.approx(0.1)
    assert same.high - same.low < 0.7 * (others.high - others.low)
