import math

import numpy as np
import pytest

from harness.metrics.memory import BINS, spread_of_mean
from harness.metrics.rate import Served, busy_share, rate_of, shares
from harness.metrics.windows import Window


def back_to_back(service_s: list[float], tokens: list[float] | None = None, start_s: float = 0.0) -> Served:
    """One user's requests, each sent when the last ended."""
    ends = start_s + np.cumsum(service_s)
    output = np.full(len(ends), math.nan) if tokens is None else np.array(tokens, dtype=float)
    return Served(ends - np.array(service_s), ends, np.full(len(ends), 20.0), output)


def together(*users: Served) -> Served:
    return Served(
        np.concatenate([user.sent_s for user in users]),
        np.concatenate([user.finished_s for user in users]),
        np.concatenate([user.prompt_tokens for user in users]),
        np.concatenate([user.output_tokens for user in users]),
    )


def test_a_request_counts_with_the_share_of_its_service_in_the_window() -> None:
    sent_s = np.array([0.0, 3.0, 8.0, 0.0, 11.0, 5.0])
    finished_s = np.array([4.0, 5.0, 12.0, 16.0, 12.0, math.nan])

    counted = shares(sent_s, finished_s, Window(2.0, 10.0))

    # half of 4 s, all of it, half of 4 s, 8 of 16 s, after the window, end unknown
    assert counted.tolist() == [0.5, 1.0, 0.5, 0.5, 0.0, 0.0]


def test_users_in_step_have_the_rate_of_their_speed_wherever_the_window_lies() -> None:
    in_step = together(*[back_to_back([2.0] * 30, [64.0] * 30) for _ in range(4)])

    rates = [rate_of(in_step, Window(start_s, start_s + 50), busy=1.0) for start_s in (0.0, 0.7, 1.99)]

    # ends alone would give 2.0, 2.0 and 2.08 here; 100 requests are told to 1.96/sqrt(12) = 0.5658 of one
    assert [rate.per_s for rate in rates] == pytest.approx([2.0] * 3)
    assert [rate.low for rate in rates] == pytest.approx([2 * math.exp(-0.005658)] * 3, rel=1e-5)


def test_lengths_have_the_interval_of_independent_draws() -> None:
    alternating = back_to_back([1.0, 3.0] * 10, [10.0, 30.0] * 10)

    rate = rate_of(alternating, Window(0.0, 40.0), busy=1.0)

    # 20 requests, work 0.5 or 1.5 of the mean: t(19) * 0.5 / sqrt(20) = 2.093 * 0.1118 = 0.2340
    assert rate.per_s == pytest.approx(0.5)
    assert rate.low == pytest.approx(0.5 * math.exp(-0.2340), rel=1e-3)
    assert rate.high == pytest.approx(0.5 * math.exp(0.2340), rel=1e-3)


def test_without_token_counts_the_series_alone_gives_the_interval() -> None:
    rate = rate_of(back_to_back([1.0, 3.0] * 10), Window(0.0, 40.0), busy=1.0)

    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 0.49 < 0.51 < rate.high


def test_fewer_than_five_requests_have_no_interval() -> None:
    rate = rate_of(back_to_back([2.5] * 4, [9.0] * 4), Window(0.0, 10.0), busy=1.0)

    assert (rate.per_s, rate.low, rate.high) == (pytest.approx(0.4), None, None)


def test_an_engine_that_slows_down_on_the_way_is_named_and_the_interval_holds_both_speeds() -> None:
    slower = together(*[back_to_back([1.0] * 25 + [1.25] * 20, [64.0] * 45, i / 4) for i in range(4)])

    rate = rate_of(slower, Window(1.0, 49.0), busy=1.0)

    assert rate.drift is not None
    assert rate.drift.needed_s >= 48.0
    assert rate.low is not None
    assert rate.high is not None
    assert rate.low < 3.2  # 4 users / 1.25 s
    assert rate.high > 4.0


def test_a_steady_engine_has_no_drift() -> None:
    steady = together(*[back_to_back([1.0] * 60, [64.0] * 60, i / 4) for i in range(4)])

    assert rate_of(steady, Window(1.0, 49.0), busy=1.0).drift is None


def test_think_time_is_not_busy() -> None:
    sent_s, ended_s = np.array([0.0, 4.0, 9.0]), np.array([3.0, 14.0, 21.0])

    # window 2 to 12: 1 s, 8 s and 3 s of 2 users' 20 s
    assert busy_share(sent_s, ended_s, Window(2.0, 12.0), users=2) == pytest.approx(0.6)


@pytest.mark.parametrize("smoothed", [0.0, 0.02])
def test_noise_alone_has_about_the_interval_of_independent_values(smoothed: float) -> None:
    series = np.random.default_rng(3).normal(1, 0.1, (200, BINS))

    halves = [spread_of_mean(one, 50.0, smoothed).half for one in series]

    # t(39) * 0.1 / sqrt(40) = 0.0320
    assert 0.030 < np.median(halves) < 0.042


def test_a_series_with_a_memory_has_a_wider_interval_that_holds_its_mean() -> None:
    random = np.random.default_rng(4)
    series = np.empty((200, BINS))
    series[:, 0] = random.normal(0, 1, 200)
    kept = math.exp(-1 / 16)  # a memory of 0.4 windows
    for i in range(1, BINS):
        series[:, i] = kept * series[:, i - 1] + math.sqrt(1 - kept**2) * random.normal(0, 1, 200)

    spreads = [spread_of_mean(one, 50.0, 0.0) for one in series]

    held = np.mean([abs(one.mean()) <= spread.half for one, spread in zip(series, spreads, strict=True)])
    assert held >= 0.9  # as independent values: 0.3
    assert np.mean([spread.drifts > 0.7 for spread in spreads]) > 0.8
