"""The rate of a window and its interval, both from the same series. Pure functions.

A request counts with the share of its service time [sent, finished] that lies in the window (counting ends takes the
beat of users in step for speed). Two things make that rate differ from the long run's, and they are told apart:

- which lengths happened to be asked. They are drawn independently, so their part follows from their spread and their
  number, and needs no batches: with the work W of a request = its service time as its prompt and output tokens
  explain it (a least-squares line), sd(mean W)/mean W = cv(W)/sqrt(n). A heavy tail makes the spread itself
  uncertain: t with 2n/(kurtosis - 1) degrees of freedom, those of a sample variance (Satterthwaite 1946).
- how fast the engine was. That has a memory, and shows once the lengths are taken out: rate + busy * (deviation of
  the work in service), bin by bin, is the series of the speed alone, a control variate with a known factor. In a
  closed load users = rate * mean(service + think time), so work that is longer by 1 % means `busy` % fewer requests;
  in an open load the plan gives the rate, whatever the lengths (`busy` 0). Its interval: `harness.metrics.memory`.

Batch means of the whole (Schmeiser 1982, Oper. Res. 30:556, on why 10 to 30 of them do) see both at once, so the
lengths hide a drift. The two parts are independent; their half widths add as the root of their squares, on the
logarithm of the rate (Zou and Donner 2008, Stat. Med. 27:1693).
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats, t_975
from harness.metrics.memory import BINS, spread_of_mean
from harness.metrics.windows import Window

MIN_COUNTED = 5  # requests; fewer have no interval
ONE_REQUEST = 1.96 / math.sqrt(12)  # 95 % of what rounding to whole requests leaves open
DRIFTS = 0.02  # half the speed's part, of the rate, from which a drift is worth a word
LIKELY = 0.7  # how likely one of long memory must be
MEMORIES_NEEDED = 10  # windows of so many memories say what the spread inside them is


@dataclass(frozen=True, slots=True)
class Served:
    """The requests that a rate counts, one entry each; tokens NaN where unknown."""

    sent_s: Floats
    finished_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats


@dataclass(frozen=True, slots=True)
class Drift:
    """A speed that changes too slowly for the window."""

    memory_s: float
    needed_s: float  # a window that would do


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second with a 95 % interval; its ends None where there are too few."""

    per_s: float
    low: float | None = None
    high: float | None = None
    drift: Drift | None = None


def rate_of(served: Served, window: Window, *, busy: float) -> Rate:
    """The rate over a window. `busy`: the share of a user's time that is service (`busy_share`), 0 in an open load.

    Example: 8 users, lengths drawn between 6 and 121 tokens, 364 requests in 50 s -> 7.28, 6.90 .. 7.68.
    """
    counts = shares(served.sent_s, served.finished_s, window)
    inside = counts > 0
    requests = Served(
        served.sent_s[inside], served.finished_s[inside], served.prompt_tokens[inside], served.output_tokens[inside]
    )
    counts = counts[inside]
    n = float(counts.sum())
    per_s = n / window.length_s
    if n < MIN_COUNTED:
        return Rate(per_s)
    service_s = requests.finished_s - requests.sent_s
    excess = _excess_work(requests, service_s, counts)
    lengths = busy * _half_of_lengths(excess, counts)
    series = per_bin(requests, window, np.ones(len(counts))) + busy * per_bin(requests, window, excess)
    smoothed_s = float((counts * service_s**2).sum() / (counts * service_s).sum())
    speed = spread_of_mean(series / per_s, window.length_s, smoothed_s / window.length_s)
    half = max(math.hypot(lengths, speed.half), ONE_REQUEST / n)
    memory_s = speed.memory * window.length_s
    seen = speed.half > DRIFTS and speed.drifts > LIKELY
    drift = Drift(memory_s, max(MEMORIES_NEEDED * memory_s, window.length_s)) if seen else None
    return Rate(per_s, per_s * math.exp(-half), per_s * math.exp(half), drift)


def shares(sent_s: Floats, finished_s: Floats, window: Window) -> Floats:
    """The share of each request's service time that lies in the window; 0 where a time is unknown."""
    overlap_s = np.minimum(finished_s, window.end_s) - np.maximum(sent_s, window.start_s)
    share = overlap_s / np.maximum(finished_s - sent_s, 1e-9)
    return np.where(share > 0, np.minimum(share, 1.0), 0.0)


def busy_share(sent_s: Floats, ended_s: Floats, window: Window, users: float) -> float:
    """The share of the users' time in which a request was under way; without think time 1."""
    overlap_s = np.minimum(ended_s, window.end_s) - np.maximum(sent_s, window.start_s)
    return min(float(overlap_s[overlap_s > 0].sum()) / (users * window.length_s), 1.0)


def per_bin(requests: Served, window: Window, amounts: Floats) -> Floats:
    """An amount of each request, spread evenly over its service, as a rate per second in `BINS` equal bins."""
    served_s = np.maximum(requests.finished_s - requests.sent_s, 1e-9)
    edges = np.linspace(window.start_s, window.end_s, BINS + 1)
    done = np.array([(amounts * np.clip((edge - requests.sent_s) / served_s, 0, 1)).sum() for edge in edges])
    rates: Floats = np.diff(done) * BINS / window.length_s
    return rates


def _excess_work(requests: Served, service_s: Floats, counts: Floats) -> Floats:
    """By how much each request asks for more work than the mean, relative to it; 0 where no length is known."""
    tokens = np.column_stack([np.ones(len(counts)), requests.output_tokens, requests.prompt_tokens])
    if np.isnan(tokens[:, 1]).any():
        return np.zeros(len(counts))
    tokens = tokens[:, [True, True, not np.isnan(tokens[:, 2]).any()]]
    scale = np.maximum(np.abs(tokens).max(axis=0), 1.0)
    line, *_ = np.linalg.lstsq(tokens / scale, service_s, rcond=None)
    work = np.maximum(tokens / scale @ line, 1e-3 * service_s.mean())
    mean = (counts * work).sum() / counts.sum()
    excess: Floats = work / mean - 1
    return excess


def _half_of_lengths(excess: Floats, counts: Floats) -> float:
    """Half the 95 % interval of the mean work, relative to it, by the spread of independent draws."""
    n = float(counts.sum())
    variance = float((counts * excess**2).sum()) / n
    if variance <= 0:
        return 0.0
    kurtosis = float((counts * excess**4).sum()) / n / variance**2
    free = min(n - 1, 2 * n / max(kurtosis - 1, 0.1))
    return t_975(max(int(free), 1)) * math.sqrt(variance / n)
