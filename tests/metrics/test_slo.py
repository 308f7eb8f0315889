import math

import numpy as np
import pytest

from harness.metrics.slo import (
    LimitSample,
    SloVerdict,
    at_most,
    judge,
    judge_errors,
    judge_limit,
    nearness,
    percentile_with_failed,
)


def sample(within: int, over: int, percentile: float = 95) -> LimitSample:
    return LimitSample(percentile, 1.0, np.array([0.5] * within + [2.0] * over))


@pytest.mark.parametrize(
    ("over", "verdict"), [(0, "yes"), (2, "yes"), (3, "not_sure"), (11, "not_sure"), (12, "no"), (128, "no")]
)
def test_p95_of_128_requests_passes_surely_to_2_over_and_fails_surely_from_12(over: int, verdict: str) -> None:
    assert judge_limit(sample(128 - over, over), failed=0).verdict == verdict


@pytest.mark.parametrize(("percentile", "n"), [(90, 29), (95, 59), (99, 299)])
def test_a_sure_pass_takes_so_many_requests_that_none_over_would_be_rare(percentile: float, n: int) -> None:
    assert judge_limit(sample(n, 0, percentile), failed=0).verdict == "yes"
    assert judge_limit(sample(n - 1, 0, percentile), failed=0) == SloVerdict("not_sure", True)


def test_a_failed_request_is_over_every_limit() -> None:
    assert judge_limit(sample(126, 0), failed=2).verdict == "yes"
    assert judge_limit(sample(116, 0), failed=12) == SloVerdict("no", False)


def test_a_limit_is_judged_from_ten_requests_on() -> None:
    assert judge_limit(sample(9, 0), failed=0) == SloVerdict("not_judged", None)
    assert judge_limit(sample(10, 0), failed=0) == SloVerdict("not_sure", True)
    assert judge_limit(sample(0, 10), failed=0) == SloVerdict("no", False)


def test_percentiles_take_failed_requests_for_endless() -> None:
    values = np.arange(1.0, 10.0)  # nine, and one failed

    assert percentile_with_failed(values, 1, 50) == pytest.approx(5.5)  # place 4.5
    assert percentile_with_failed(values, 1, 90) == math.inf  # place 8.1, towards the failed one
    assert percentile_with_failed(values, 0, 100) == 9.0


def test_errors_above_their_share_break_the_slo_surely_only_where_chance_would_not() -> None:
    assert judge_errors(20, 20, 0.01) == SloVerdict("no", False)
    assert judge_errors(50, 1, 0.01) == SloVerdict("not_sure", False)  # 1 - 0.99 ** 50 = 0.39
    assert judge_errors(50, 1, 0.0) == SloVerdict("no", False)
    assert judge_errors(12, 0, 0.01) == SloVerdict("yes", True)
    assert judge_errors(9, 9, 0.01) == SloVerdict("not_judged", None)


def test_the_worst_limit_decides() -> None:
    sure, unsure, broken, few = sample(200, 0), sample(196, 4), sample(100, 100), sample(5, 0)

    assert judge(200, 0, [sure], 0.01) == SloVerdict("yes", True)
    assert judge(200, 0, [sure, LimitSample(99, 1.0, unsure.values_s[:150])], 0.01) == SloVerdict("not_sure", True)
    assert judge(200, 0, [sure, few], 0.01) == SloVerdict("not_judged", None)
    assert judge(200, 0, [few, broken], 0.01) == SloVerdict("no", False)
    assert judge(200, 0, [], 0.01) == SloVerdict("yes", True)


def test_the_binomial_is_that_of_the_books() -> None:
    assert at_most(59, 0.05, 0) == pytest.approx(0.0485, abs=1e-4)  # 0.95 ** 59
    assert at_most(10, 0.5, 5) == pytest.approx(638 / 1024)  # 1 + 10 + 45 + 120 + 210 + 252
    assert at_most(100_000, 0.05, 5_000) == pytest.approx(0.5, abs=0.01)
    assert at_most(5, 0.0, 0) == 1.0


def test_the_ends_of_a_percentile_are_those_that_its_verdict_rests_on() -> None:
    # of 59 the highest, since none over would be rare; of 128 the third highest (2 over are rare, 3 are not), and the
    # twelfth highest (12 over are rare)
    values_s = np.arange(1.0, 60.0)
    near = nearness(LimitSample(95, 100.0, values_s), failed=0)
    assert (near.n, near.over, near.high) == (59, 0, 0.59)
    assert nearness(LimitSample(95, 100.0, values_s[:58]), failed=0).high is None

    near = nearness(LimitSample(95, 100.0, np.arange(1.0, 129.0)), failed=0)
    assert (near.high, near.low) == (1.26, 1.17)


def test_the_failed_are_over_by_more_than_a_number_says() -> None:
    near = nearness(LimitSample(95, 1.0, np.full(97, 0.5)), failed=3)

    assert (near.n, near.over, near.ratio) == (100, 3, 0.5)
    near = nearness(LimitSample(95, 1.0, np.full(90, 0.5)), failed=10)
    assert (near.ratio, near.verdict(met=False)) == (None, "no")


def test_nothing_has_no_nearness() -> None:
    near = nearness(LimitSample(95, 1.0, np.array([])), failed=0)

    assert (near.n, near.ratio, near.verdict(met=True)) == (0, None, "not_judged")


def test_requests_that_break_a_limit_in_a_burst_say_less_than_their_number() -> None:
    # 16 of 160 over: spread evenly that is surely too many; all in one of eight batches they are one event
    even, burst = np.full(160, 0.5), np.full(160, 0.5)
    even[::10] = 2.0
    burst[40:56] = 2.0

    assert nearness(LimitSample(95, 1.0, even), failed=0).verdict(met=False) == "no"
    assert nearness(LimitSample(95, 1.0, burst), failed=0).verdict(met=False) == "not_sure"
    assert nearness(LimitSample(95, 1.0, burst), failed=0).spread > 10
