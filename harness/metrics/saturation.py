"""Does a queue grow? A load by plan does not wait for answers, so a server that is too slow falls ever further back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats

MIN_SAMPLES = 9  # three for each third
SAMPLES = 60  # that a window of records is looked at
SPREAD = 3.0  # standard deviations: in flight scatters like a count, by the root of its mean
SHARE = 0.02  # of the arrivals in between; a slower growth would take minutes to show
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


def open_facts(
    scheduled_s: Floats, sent_s: Floats, ended_s: Floats, window: tuple[float, float], e2e_s: Floats
) -> OpenFacts:
    """Of a step by plan: what was offered, what left, and whether its queue only grew.

    `ended_s` is NaN for what was cut, `sent_s` for what was dropped; `e2e_s` are those of good requests.
    """
    start_s, end_s = window
    length_s = end_s - start_s
    planned = (scheduled_s >= start_s) & (scheduled_s < end_s)
    offered = int(planned.sum())
    left = int((planned & (sent_s < end_s)).sum())
    known = e2e_s[~np.isnan(e2e_s)]
    unloaded_s = float(np.percentile(known, 10)) if len(known) else 0.0
    times_s = np.linspace(start_s, end_s, SAMPLES, endpoint=False)
    growing = length_s > SETTLED * unloaded_s and is_growing(in_flight_at(times_s, sent_s, ended_s), offered)
    return OpenFacts(
        offered_requests_per_s=offered / length_s if length_s > 0 else None,
        sent_requests_per_s=left / length_s if length_s > 0 else None,
        not_sent=int((planned & np.isnan(sent_s)).sum()),
        over_saturated=growing,
    )
