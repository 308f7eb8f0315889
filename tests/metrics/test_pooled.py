"""Several steps of one load as one, worked by hand."""

import pytest

from harness.metrics.pooled import ERRORS, add_up, judge_together, rate_together
from harness.metrics.rate import Rate
from harness.metrics.slo import Nearness


def limits(n: int, over: int, ratio: float | None = 0.9, spread: float = 1.0) -> dict[str, Nearness]:
    ends = (None, None) if ratio is None else (ratio * 0.9, ratio * 1.1)
    return {"ttft_p95_s": Nearness(95, n, over, ratio, *ends, spread)}


def test_counts_add_up_and_the_doubt_falls_with_the_root() -> None:
    both = add_up([limits(100, 4, 0.9), limits(100, 2, 0.9)])["ttft_p95_s"]

    assert (both.n, both.over, both.ratio) == (200, 6, pytest.approx(0.9))
    assert both.low == pytest.approx(0.9 * 0.9**0.5**0.5)
    assert both.high == pytest.approx(0.9 * 1.1**0.5**0.5)


def test_an_end_that_one_does_not_know_stays_open() -> None:
    both = add_up([limits(100, 4, 0.9), {"ttft_p95_s": Nearness(95, 20, 0, 0.8, 0.7, None)}])["ttft_p95_s"]

    assert both.high is None
    assert both.low is not None


def test_two_that_are_not_sure_may_be_sure_together() -> None:
    # were 5 % over, 4 or fewer of 128 are no rarity (23 %), nor are 8 or fewer of 256 (10 %); 4 of 256 are (0.4 %)
    assert judge_together([limits(128, 4)], [True]).verdict == "not_sure"
    assert judge_together([limits(128, 4), limits(128, 4)], [True, True]).verdict == "not_sure"
    assert judge_together([limits(128, 4), limits(128, 0)], [True, True]).verdict == "yes"


def test_two_that_differ_by_more_than_chance_are_not_sure_however_many() -> None:
    assert judge_together([limits(1000, 0), limits(1000, 200)], [True, False]).verdict == "not_sure"
    # 5.4 and 2.3 % come with a chi-square of 4.4, 5.4 and 2.8 % with 2.6: only the latter may be chance (3.84)
    assert judge_together([limits(130, 7), limits(1300, 30)], [False, True]).verdict == "not_sure"
    assert judge_together([limits(130, 7), limits(1300, 37)], [False, True]).verdict == "yes"


def test_a_share_of_failures_is_kept_by_the_point() -> None:
    kept = {ERRORS: Nearness(99, 200, 2)}

    assert judge_together([kept], [True]).verdict == "yes"
    assert judge_together([{ERRORS: Nearness(99, 200, 3)}], [False]).verdict == "not_sure"
    assert judge_together([{ERRORS: Nearness(99, 200, 9)}], [False]).verdict == "no"


def test_rates_of_one_load_average_by_the_root_of_their_number() -> None:
    # 10 +- 0.4 and 10.2 +- 0.3: 10.1 +- hypot(0.4, 0.3) / 2
    both = rate_together([Rate(10.0, 9.6, 10.4), Rate(10.2, 9.9, 10.5)])

    assert (both.per_s, both.low, both.high) == pytest.approx((10.1, 9.85, 10.35))


def test_rates_that_differ_by_more_than_that_span_their_range() -> None:
    both = rate_together([Rate(10.0, 9.8, 10.2), Rate(11.0, 10.8, 11.2)])

    assert (both.per_s, both.low, both.high) == pytest.approx((10.5, 9.5, 11.5))


def test_a_rate_without_an_interval_leaves_none() -> None:
    assert rate_together([Rate(10.0, 9.8, 10.2), Rate(11.0)]) == Rate(10.5)
    assert rate_together([Rate(10.0, 9.7, 10.4)]) == Rate(10.0, 9.7, 10.4)
