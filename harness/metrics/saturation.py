"""Does a queue grow? A load by plan does not wait for answers, so a server that is too slow falls ever further back.

The backlog at an instant are the requests that had arrived and not ended, less those that an unloaded server would
still be at. Where a load is even, a backlog that grows to the end of a window will grow on. Where the load itself
changes, in a ramp and a log, what comes after the window tells: until all that was under way at its end has ended, the
server answers as many a second as came in the window, or it was over-saturated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats

MIN_SAMPLES = 9  # three for each third
SAMPLES = 60  # that a window of records is looked at
SPREAD = 3.0  # standard deviations: in flight scatters like a count, by the root of its mean
SHARE = 0.02  # of the arrivals in between; a slower growth would take minutes to show
FASTEST = 1.0  # percentile of the run's times that is taken for an unloaded server's
SETTLED = 3.0  # windows shorter than so many unloaded requests only see the server fill up


def is_growing(in_flight: Sequence[float] | Floats, arrivals: float) -> bool:
    """Whether evenly spaced samples of requests in flight show a queue that grows to the end.

    The last third must lie above the first by more than chance (3 sqrt(first + last)) and by more than 2 % of
    the `arrivals` meanwhile, and above the middle one by half of each: a server that merely fills up levels off.
    """
    samples = np.asarray(in_flight, dtype=float)
    if len(samples) < MIN_SAMPLES:
        return False
    first, middle, last = (float(part.mean()) for part in np.array_split(samples, 3))
    chance = SPREAD * float(np.sqrt(first + last))
    needed = max(chance, SHARE * arrivals, 1.0)
    return last - first > needed and last - middle > needed / 2


def in_flight_at(times_s: Floats, sent_s: Floats, ended_s: Floats) -> Floats:
    """Requests in flight at each of the times; an unknown end (NaN) has not come yet."""
    began = np.sort(sent_s[~np.isnan(sent_s)])
    ended = np.sort(ended_s[~np.isnan(ended_s) & ~np.isnan(sent_s)])
    return (np.searchsorted(began, times_s, side="right") - np.searchsorted(ended, times_s, side="right")).astype(float)


def backlog_at(times_s: Floats, sent_s: Floats, ended_s: Floats, usual_s: Floats) -> Floats:
    """How many requests are under way at each of the times for longer than `usual_s`, those of an unloaded server."""
    return in_flight_at(times_s, np.fmin(sent_s + usual_s, ended_s), ended_s)


def usual_s(ttft_s: Floats, tpot_s: Floats, e2e_s: Floats, tokens: Floats) -> Floats:
    """How long each request takes on an unloaded server: the run's fastest first token, then its fastest time a token.

    The latencies are those of good requests; where there is no such, or no count, it is the fastest whole request.
    """
    first_s, token_s, whole_s = (_fastest(values) for values in (ttft_s, tpot_s, e2e_s))
    by_tokens = first_s + token_s * np.maximum(tokens - 1, 0)
    return np.nan_to_num(np.where(np.isnan(by_tokens), whole_s, by_tokens))


def _fastest(values_s: Floats) -> float:
    known = values_s[~np.isnan(values_s)]
    return float(np.percentile(known, FASTEST)) if len(known) else math.nan


def peak_in_flight(sent_s: Floats, ended_s: Floats, window: tuple[float, float]) -> int:
    """Most requests in flight at any instant of the window; an unknown end has not come yet."""
    sent = np.sort(sent_s[~np.isnan(sent_s)])
    inside = sent[(sent >= window[0]) & (sent < window[1])]
    at = np.append(inside, window[0])  # it only grows where one is sent
    return int(in_flight_at(at, sent_s, ended_s).max())


@dataclass(frozen=True, slots=True)
class OpenFacts:
    """What a step by plan has besides; all None for other loads, rates also where there is no window."""

    offered_requests_per_s: float | None = None
    sent_requests_per_s: float | None = None
    not_sent: int | None = None  # arrivals dropped
    over_saturated: bool | None = None
    queue_at_start: int | None = None  # the backlog as a slice or part begins; 0: no more than chance


def open_facts(
    scheduled_s: Floats,
    sent_s: Floats,
    ended_s: Floats,
    usual_s: Floats,
    window: tuple[float, float],
    *,
    is_even: bool = True,
) -> OpenFacts:
    """Of a step by plan: what was offered, what left, and whether its queue only grew; `is_even`: at one rate.

    `ended_s` is NaN for what was cut, `sent_s` for what was dropped; `usual_s` are those of an unloaded server.
    """
    start_s, end_s = window
    length_s = end_s - start_s
    planned = (scheduled_s >= start_s) & (scheduled_s < end_s)
    offered = int(planned.sum())
    left = int((planned & (sent_s < end_s)).sum())
    times_s = np.linspace(start_s, end_s, SAMPLES, endpoint=False)
    backlog = backlog_at(times_s, sent_s, ended_s, usual_s)
    has_settled = offered > 0 and length_s > SETTLED * float(np.median(usual_s[planned]))
    # an even load has as many in flight all along that are no backlog
    growing = has_settled and is_growing(in_flight_at(times_s, sent_s, ended_s) if is_even else backlog, offered)
    if growing and not is_even:
        growing = not _keeps_up(sent_s, ended_s, end_s, offered / length_s)
    return OpenFacts(
        offered_requests_per_s=offered / length_s if length_s > 0 else None,
        sent_requests_per_s=left / length_s if length_s > 0 else None,
        not_sent=int((planned & np.isnan(sent_s)).sum()),
        over_saturated=growing,
        queue_at_start=None if is_even else int(backlog[0]) if backlog[0] > max(1.0, SHARE * offered) else 0,
    )


def _keeps_up(sent_s: Floats, ended_s: Floats, end_s: float, per_s: float) -> bool:
    """Whether `per_s` requests a second or more end from `end_s` on, until all that was under way then has ended."""
    under_way = ended_s[(sent_s < end_s) & ~(ended_s < end_s)]
    if np.isnan(under_way).any():
        return False  # cut
    gone_s = float(under_way.max(initial=end_s))
    ended = int(((ended_s >= end_s) & (ended_s <= gone_s)).sum())
    return ended >= per_s * (gone_s - end_s)
