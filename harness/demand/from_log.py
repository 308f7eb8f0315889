"""A month's demand out of a request log: volume, lengths, and when in the day the requests come."""

from itertools import pairwise
from typing import Any

from harness.base.units import HOURS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MONTH
from harness.scenario.trace import Trace, TraceRow

SECONDS_PER_DAY = HOURS_PER_DAY * SECONDS_PER_HOUR
MIN_SPAN_S = 60.0  # a shorter log says nothing of a month


def demand_of(trace: Trace, *, name: str, classes: int = 1) -> dict[str, Any]:
    """The keys of a demand file: `name, tasks_per_month, classes`, and `hourly_profile` where a day was seen.

    Volume: requests of the log divided by its span, times a month of 730 h; a log of one instant has no span
    and `tasks_per_month` is None. Classes: the requests in order of input length, cut into `classes` equal
    parts, each with its mean lengths; their mean is the log's whatever their number.
    """
    volume = None
    if trace.span_s >= MIN_SPAN_S:
        # n requests have n - 1 gaps between them
        per_s = (len(trace.rows) - 1) / trace.span_s
        volume = round(per_s * SECONDS_PER_MONTH)
    demand: dict[str, Any] = {"name": name, "tasks_per_month": volume, "classes": _classes(trace.rows, classes)}
    profile = hourly_profile(trace)
    return demand | ({"hourly_profile": profile} if profile is not None else {})


def _classes(rows: list[TraceRow], wanted: int) -> list[dict[str, Any]]:
    ordered = sorted(rows, key=lambda row: (row.input_tokens, row.output_tokens))
    count = min(wanted, len(ordered))
    edges = [round(len(ordered) * i / count) for i in range(count + 1)]
    parts = [ordered[first:end] for first, end in pairwise(edges)]
    return [
        {
            "name": "request" if count == 1 else f"{part[0].input_tokens} to {part[-1].input_tokens} tokens in",
            "weight": len(part),
            "input_tokens": round(sum(row.input_tokens for row in part) / len(part), 2),
            "output_tokens": round(sum(row.output_tokens for row in part) / len(part), 2),
        }
        for part in parts
    ]


def hourly_profile(trace: Trace) -> list[float] | None:
    """Requests in each of the 24 hours of a day, per time the log covers that hour; None below a day's span.

    The hours are the log's own clock (UTC for dates); a log without a clock counts from its first request,
    which moves the profile round but leaves its peak. Weights have a mean of 1.
    """
    if trace.span_s < SECONDS_PER_DAY:
        return None
    offset_s = trace.first_hour_s or 0.0
    counts = [0] * HOURS_PER_DAY
    for row in trace.rows:
        counts[int((offset_s + row.arrival_s) // SECONDS_PER_HOUR) % HOURS_PER_DAY] += 1
    covered = [_covered_s(hour, offset_s, offset_s + trace.span_s) for hour in range(HOURS_PER_DAY)]
    rates = [count / seconds for count, seconds in zip(counts, covered, strict=True)]
    mean = sum(rates) / HOURS_PER_DAY
    return [round(rate / mean, 4) for rate in rates]


def _covered_s(hour: int, start_s: float, end_s: float) -> float:
    """Seconds of [start_s, end_s] (from a midnight) that lie in that hour of a day."""
    days = range(int(end_s // SECONDS_PER_DAY) + 1)
    begins = [day * SECONDS_PER_DAY + hour * SECONDS_PER_HOUR for day in days]
    return sum(max(min(end_s, begin + SECONDS_PER_HOUR) - max(start_s, begin), 0.0) for begin in begins)
