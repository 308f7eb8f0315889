"""How much a log says of a month: its volume and how sure that is, and the hours of the day or week."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats, t_975
from harness.base.units import HOURS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MONTH
from harness.scenario.logs.request_log import RequestLog

SECONDS_PER_DAY = HOURS_PER_DAY * SECONDS_PER_HOUR
DAYS_PER_WEEK = 7
HOURS_PER_WEEK = DAYS_PER_WEEK * HOURS_PER_DAY
MIN_SPAN_S = 60.0  # a shorter log says nothing of a month
FEW_AN_HOUR = 25  # requests of an hour of the profile below which its peak may be chance
_THURSDAY = 3 * HOURS_PER_DAY  # 1 January 1970, in hours after a Monday's midnight
_Z_975 = 1.96


@dataclass(frozen=True, slots=True)
class Volume:
    """Requests a month that are served, and between what, at 95 %."""

    tasks_per_month: float
    low: float
    high: float


def volume_of(log: RequestLog) -> Volume | None:
    """The log's rate over a month of 730 h; None for a log of one instant.

    The interval: days differ (Student's t over whole days, by weekday from two weeks on), by chance if by nothing else;
    and hours of the week that the log does not cover may carry anything from nothing to twice the rate of those
    that it does.
    """
    if log.end_s < MIN_SPAN_S or log.unit == "none":
        return None
    # n requests have n - 1 gaps between them; buckets have no gaps
    gaps = log.requests if log.is_aggregate else log.requests - 1
    share = float(log.served.sum()) / log.requests
    tasks = gaps * share / log.end_s * SECONDS_PER_MONTH
    uncertain = _relative(log)
    seen = min(covered_s(log) / (DAYS_PER_WEEK * SECONDS_PER_DAY), 1.0)
    return Volume(tasks, tasks * max(1 - uncertain, 0) * seen, tasks * (1 + uncertain) * (2 - seen))


def covered_s(log: RequestLog) -> float:
    """What the log covers: its span and, of single requests, a mean gap after the last."""
    if log.is_aggregate or log.requests < 2:
        return log.end_s
    return log.end_s * log.requests / (log.requests - 1)


def _relative(log: RequestLog) -> float:
    """Half of the 95 % interval over the mean."""
    chance = _Z_975 / math.sqrt(log.requests)
    days = int(covered_s(log) / SECONDS_PER_DAY + 0.01)
    if days < 2:
        return chance
    at = (log.arrival_s // SECONDS_PER_DAY).astype(int)
    counts: Floats = np.bincount(at, weights=log.served, minlength=days)[:days].astype(float)
    mean = float(counts.mean())
    if mean == 0:
        return 1.0
    weekdays = np.arange(days) % DAYS_PER_WEEK
    parts = DAYS_PER_WEEK if days >= 2 * DAYS_PER_WEEK else 1
    left = counts - (_by(weekdays, counts, DAYS_PER_WEEK)[weekdays] if parts > 1 else mean)
    deviation = math.sqrt(float((left**2).sum()) / (days - parts))
    return max(t_975(days - parts) * deviation / math.sqrt(days) / mean, chance)


def _by(index: np.ndarray, values: Floats, n: int) -> Floats:
    return np.bincount(index, weights=values, minlength=n) / np.maximum(np.bincount(index, minlength=n), 1)


def hourly_profile(log: RequestLog) -> list[float] | None:
    """Requests of each hour, per time the log covers that hour, with a mean of 1; None where it does not say.

    168 hours from Monday's midnight where the log covers a week, 24 where it covers a day; at least a request for
    each. The hours are the log's own clock (UTC for dates); a log without a clock counts from its first request, which
    moves the profile round but leaves its peak. Buckets of a day are spread over it, so that they tell the days of a
    week apart and no hours.
    """
    if log.unit == "none" or log.bucket_s > SECONDS_PER_DAY:
        return None
    covers_s = covered_s(log) * 1.001  # a log that ends in its last minute covers its day
    for hours in (HOURS_PER_WEEK, HOURS_PER_DAY) if log.bucket_s <= SECONDS_PER_HOUR else (HOURS_PER_WEEK,):
        turn_s = hours * SECONDS_PER_HOUR
        if covers_s >= turn_s and log.served.sum() >= hours:
            return _profile(log, hours, max(log.end_s, turn_s))
    return None


def _profile(log: RequestLog, hours: int, length_s: float) -> list[float]:
    start_s = log.starts_at_s or 0.0
    if log.is_dated:
        start_s += _THURSDAY * SECONDS_PER_HOUR
    start_s %= hours * SECONDS_PER_HOUR
    counts = np.zeros(hours)
    parts = max(round(log.bucket_s / SECONDS_PER_HOUR), 1)
    for part in range(parts):
        at = (start_s + log.arrival_s) // SECONDS_PER_HOUR + part
        counts += np.bincount((at % hours).astype(int), weights=log.served / parts, minlength=hours)
    covered = _covered_s(hours, start_s, start_s + length_s)
    rates = np.divide(counts, covered, out=np.zeros(hours), where=covered > 0)
    return [round(float(rate), 4) for rate in rates / rates.mean()]


def _covered_s(hours: int, start_s: float, end_s: float) -> Floats:
    """Seconds of [start_s, end_s] that lie in each of the hours."""
    turns = np.arange(int(end_s // (hours * SECONDS_PER_HOUR)) + 1)[:, None]
    begins = (turns * hours + np.arange(hours)) * SECONDS_PER_HOUR
    inside = np.minimum(end_s, begins + SECONDS_PER_HOUR) - np.maximum(start_s, begins)
    covered: Floats = np.maximum(inside, 0.0).sum(axis=0)
    return covered
