import numpy as np
import pytest

from harness.base.stats import summary, t_975, t_interval


def test_the_t_interval_of_five_runs_is_the_published_one() -> None:
    # AN-15: mean 150, sd 2.1213203436, t(4) 2.7764451052 -> half 2.6339670993
    interval = t_interval([148, 151, 150, 153, 148])

    assert interval.mean == 150
    assert interval.low == pytest.approx(147.3660329007, abs=1e-9)
    assert interval.high == pytest.approx(152.6339670993, abs=1e-9)


def test_one_value_has_no_interval() -> None:
    interval = t_interval([3.0])

    assert (interval.mean, interval.low, interval.high) == (3.0, None, None)


def test_students_t_beyond_the_table_is_right_to_five_digits() -> None:
    # t(30) 2.042272, t(100) 1.983972 from printed tables
    assert t_975(30) == pytest.approx(2.042272, abs=2e-5)
    assert t_975(100) == pytest.approx(1.983972, abs=2e-5)


def test_percentiles_are_interpolated_between_neighbours() -> None:
    # of 1..5: p50 = 3, p90 = 1 + 0.9 * 4 = 4.6, p95 = 4.8, p99 = 4.96
    got = summary(np.array([1.0, 2, 3, 4, 5]))

    assert got == {"n": 5, "mean": 3.0, "p50": 3.0, "p90": 4.6, "p95": 4.8, "p99": pytest.approx(4.96)}


def test_no_value_gives_unknown_and_never_zero() -> None:
    assert summary(np.array([])) == {"n": 0, "mean": None, "p50": None, "p90": None, "p95": None, "p99": None}
