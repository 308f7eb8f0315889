"""What nobody knows meets no limit; what failed is over every limit."""

import numpy as np
import pytest

from harness.metrics.slo import LimitSample, SloVerdict, judge, judge_limit


def sample(within: int, over: int = 0, unknown: int = 0) -> LimitSample:
    return LimitSample(90, 1.0, np.array([0.5] * within + [2.0] * over), unknown)


def test_those_that_timed_out_are_over_the_limit() -> None:
    # 15 of 100 never got a token: p90 of the survivors is 0.5, of all it is for ever
    assert judge(100, 15, [sample(85)], error_rate=0.2).met is False


@pytest.mark.parametrize(
    ("one", "met"),
    [
        (sample(0, unknown=100), None),  # nobody knows
        (sample(95, unknown=5), True),  # even if all five were over it
        (sample(80, unknown=20), None),  # they decide
        (sample(60, over=20, unknown=20), False),  # even if all twenty were within
    ],
)
def test_an_unknown_latency_is_not_judged_where_it_makes_a_difference(one: LimitSample, met: bool | None) -> None:
    assert judge_limit(one, failed=0).met is met


def test_all_unknown_is_not_judged() -> None:
    assert judge_limit(sample(0, unknown=100), failed=0) == SloVerdict("not_judged", None)
