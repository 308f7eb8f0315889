"""How much of a month a log knows, and at which hours."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from harness.base.stats import Floats
from harness.demand.from_log import demand_of
from harness.demand.of_log_words import summary
from harness.demand.volume import hourly_profile, volume_of
from harness.scenario.logs.request_log import RequestLog

HOUR_S, DAY_S = 3600.0, 86_400.0
SUNDAY = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def log_at(arrival_s: Floats, starts_at_s: float | None = SUNDAY) -> RequestLog:
    n = len(arrival_s)
    return RequestLog(
        file="log.csv", layout="ours", unit="date", arrival_s=arrival_s, input_tokens=np.full(n, 800.0),
        output_tokens=np.full(n, 250.0), cached_tokens=None, cache_write_tokens=None, reasoning_tokens=None,
        images=None, served=np.ones(n), failed=np.zeros(n), from_cache=None, model=None, session=None, blocks=None,
        block_tokens=512, bucket_s=0.0, end_s=float(arrival_s[-1]), starts_at_s=starts_at_s,
        is_dated=starts_at_s is not None, left_out={}, notes=(),
    )  # fmt: skip


def every(gap_s: float, length_s: float) -> Floats:
    return np.arange(0.0, length_s, gap_s)


def test_an_even_week_makes_a_sure_month() -> None:
    # a request a minute: 43,800 in 730 h, each day the same; chance alone is 1.96 / sqrt(10,080) = 1.95 %
    volume = volume_of(log_at(every(60, 7 * DAY_S)))

    assert volume is not None
    assert (volume.tasks_per_month, volume.low, volume.high) == pytest.approx((43_800, 42_945, 44_655), rel=1e-4)


def test_days_that_differ_make_the_month_unsure() -> None:
    # 100 and 300 a day in turns over 8 days: mean 200, sd 106.9, t(7) 2.3646, half 89.4, as a share 0.447
    days = [np.arange(count) * (DAY_S / count) + day * DAY_S for day, count in enumerate([100, 300] * 4)]
    volume = volume_of(log_at(np.concatenate(days)))

    assert volume is not None
    assert volume.low / volume.tasks_per_month == pytest.approx(1 - 0.447, abs=0.001)
    assert volume.high / volume.tasks_per_month == pytest.approx(1 + 0.447, abs=0.001)


def test_weekends_that_come_every_week_leave_it_sure() -> None:
    # two weeks and a second, nothing on the last two days of either
    days = [every(60, DAY_S) + day * DAY_S for day in range(14) if day % 7 not in (5, 6)]
    volume = volume_of(log_at(np.concatenate([*days, [14 * DAY_S]])))

    assert volume is not None
    assert volume.high / volume.tasks_per_month == pytest.approx(1 + 1.96 / 14_401**0.5, abs=0.001)


def test_hours_of_the_week_that_were_not_seen_may_carry_nothing_or_twice() -> None:
    # a day of 7, and 1 / sqrt(1440) of chance: 43,800 * 1.05165 * 13 / 7 and 43,800 * 0.94835 / 7
    volume = volume_of(log_at(every(60, DAY_S)))

    assert volume is not None
    assert (volume.low, volume.high) == pytest.approx((5_934, 85_543), rel=1e-3)


def test_a_week_of_a_clock_has_168_hours_from_monday_on() -> None:
    # from Sunday midnight: one an hour, but five at Wednesday 09:xx, which is hour 2 * 24 + 9 of the week
    rush = 3 * DAY_S + 9 * HOUR_S + 60.0 * np.arange(1, 5)
    profile = hourly_profile(log_at(np.sort(np.concatenate([every(HOUR_S, 7 * DAY_S), rush]))))

    assert profile is not None
    assert len(profile) == 168
    assert int(np.argmax(profile)) == 2 * 24 + 9
    assert profile[0] == pytest.approx(168 / 172, abs=1e-3)
    assert max(profile) == pytest.approx(5 * 168 / 172, abs=1e-3)


@pytest.mark.parametrize(
    ("arrival_s", "hours"),
    [
        (every(HOUR_S, 6.5 * DAY_S), 24),
        (every(HOUR_S, DAY_S), 24),  # the last begins its hour
        (every(HOUR_S, 23 * HOUR_S), None),
        (every(8 * HOUR_S, 8 * DAY_S), 24),  # fewer than hours of a week
        (every(12 * HOUR_S, 8 * DAY_S), None),
    ],
)
def test_a_profile_is_as_long_as_the_log_can_tell(arrival_s: Floats, hours: int | None) -> None:
    profile = hourly_profile(log_at(arrival_s))

    assert (None if profile is None else len(profile)) == hours


def buckets(length_s: float, *requests: float) -> RequestLog:
    log = log_at(np.arange(len(requests)) * length_s)
    return replace(log, bucket_s=length_s, end_s=len(requests) * length_s, served=np.array(requests, dtype=float))


def test_buckets_of_an_hour_tell_hours_and_those_of_a_day_tell_days_of_the_week() -> None:
    assert hourly_profile(buckets(HOUR_S, *[1] * 48)) == [1.0] * 24
    assert hourly_profile(buckets(DAY_S, *[100] * 6)) is None
    # a Sunday and a Saturday of nothing: the five days between have 7 / 5 of the mean, at every hour
    assert hourly_profile(buckets(DAY_S, 0, 100, 100, 100, 100, 100, 0)) == [1.4] * 120 + [0.0] * 48
    assert "within a day the load is taken as even" in said(buckets(DAY_S, 0, *[100] * 5, 0))


def said(log: RequestLog) -> str:
    return "\n".join(summary(log, demand_of(log, name="d")))


def test_a_log_of_a_day_is_warned_of_before_it_is_a_month() -> None:
    assert "warning: a day of traffic is taken for a month" in said(log_at(every(60, DAY_S)))
    assert "warning: less than a week of traffic is taken for a month" in said(log_at(every(60, 8 * HOUR_S)))
    assert "warning" not in said(log_at(every(60, 7 * DAY_S)))


def test_failures_are_no_part_of_the_volume_and_are_said() -> None:
    log = log_at(every(60, 7 * DAY_S))
    half = np.arange(len(log.served)) % 2 == 0
    log = replace(log, served=half.astype(float), failed=(~half).astype(float))
    volume = volume_of(log)

    assert volume is not None
    assert volume.tasks_per_month == pytest.approx(21_900)
    assert "5,040 of 10,080 requests failed (50.0%) and are not in the volume" in said(log)


def test_hits_of_a_gateways_cache_are_tasks_without_a_price() -> None:
    log = log_at(every(60, 7 * DAY_S))
    hits = np.arange(len(log.served)) % 4 == 0
    log = replace(log, from_cache=hits, input_tokens=np.where(hits, 8_000.0, 800.0))

    demand = demand_of(log, name="d")

    assert demand["tasks_per_month"] == 43_800
    assert demand["response_cache_hit_rate"] == 0.25
    assert demand["classes"] == [{"name": "request", "weight": 7_560, "input_tokens": 800, "output_tokens": 250}]
