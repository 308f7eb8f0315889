"""The run over time: output tokens per second and requests in flight in every bin, and where the server stalled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats
from harness.base.units import US_PER_S
from harness.metrics.stalls import stalls_of
from harness.metrics.windows import Columns, Stamps
from harness.rundir.arrivals import Ints
from harness.rundir.steps import RanStep
from harness.rundir.timeline import Stall, Timeline

MOST_BINS = 300
BLOCK = 50_000  # requests whose arrivals are looked at together
LEAST_S = 1e-6  # over which tokens can be spread
_ROUND = (1, 2, 5)


def timeline_of(data: Columns, steps: Sequence[RanStep], stamps: Stamps | None, timeout_s: float) -> Timeline | None:
    """Bins of a second, or of the next 1, 2 or 5 times a power of ten that makes at most 300; None: nothing was sent.

    Tokens are counted where they arrived; without arrivals the first at its own time and the rest spread evenly up to
    the last, none of them into a stall, and those of an answer that was not streamed at its end. A request that timed
    out was in flight for `timeout_s`; one that was cut, until the end of the step that cut it.
    """
    sent = ~np.isnan(data.sent_s)
    if not steps or not sent.any():
        return None
    ends_s = _ends_s(data, steps, timeout_s)
    start_s = float(np.floor(min(steps[0].start_s, data.sent_s[sent].min())))
    end_s = float(np.nanmax(np.append(ends_s[sent], [_end_s(ran) or ran.start_s for ran in steps])))
    bin_s = bin_for(end_s - start_s)
    edges_s = start_s + bin_s * np.arange(max(round((end_s - start_s) / bin_s), 1) + 1, dtype=np.float64)
    edges_s[-1] = max(end_s, edges_s[-2] + bin_s / 2)
    widths_s = np.diff(edges_s)
    stalls = stalls_of(data, ends_s, steps, stamps)
    tokens = _tokens(data, stamps, edges_s, stalls)
    busy_s = np.diff(_seconds_before(edges_s, data.sent_s[sent]) - _seconds_before(edges_s, ends_s[sent]))
    failed = np.bincount(_bins(ends_s[data.failed & sent], edges_s), minlength=len(widths_s))
    return Timeline(
        start_s=start_s,
        bin_s=bin_s,
        end_s=float(edges_s[-1]),
        output_tokens_per_s=tuple(np.round(tokens / widths_s, 3).tolist()),
        in_flight=tuple(np.round(np.maximum(busy_s / widths_s, 0.0), 3).tolist()),
        failed=tuple(failed.tolist()),
        stalls=stalls,
    )


def bin_for(length_s: float) -> float:
    """A width of at least a second, of which at most 300 fill so long a time."""
    least = max(length_s / MOST_BINS, 1.0)
    size = 10.0 ** np.floor(np.log10(least))
    return float(next((m * size for m in _ROUND if m * size >= least * 0.9999), 10 * size))


def _ends_s(data: Columns, steps: Sequence[RanStep], timeout_s: float) -> Floats:
    """When each request ended, NaN where it was never sent."""
    cuts_s = np.sort([end for ran in steps if (end := _end_s(ran)) is not None])
    last_s = float(np.nanmax(np.concatenate([data.sent_s, data.finished_s, cuts_s])))
    ends_s = np.where(data.timed_out, data.sent_s + timeout_s, data.ended_s)
    open_ = np.isnan(ends_s) & ~np.isnan(data.sent_s)
    place = np.searchsorted(cuts_s, np.fmax(data.sent_s, data.finished_s)[open_])
    ends_s[open_] = np.append(cuts_s, last_s)[place]
    return ends_s


def _end_s(ran: RanStep) -> float | None:
    """The end of what a step asked for; None: it was cut in it."""
    return ran.end_s if ran.held_s is None else ran.held_s


def _bins(times_s: Floats, edges_s: Floats) -> Ints:
    """In which bin each time lies; what is outside belongs to the first or the last."""
    places: Ints = ((times_s - edges_s[0]) / (edges_s[1] - edges_s[0])).astype(np.int64)
    return np.clip(places, 0, len(edges_s) - 2)


def _seconds_before(
    edges_s: Floats, times_s: Floats, weights: Floats | None = None, stalls: Sequence[Stall] = ()
) -> Floats:
    """Up to each edge, the sum of weight x seconds since each of the times, those of stalls left out."""
    bins, n = _bins(times_s, edges_s), len(edges_s) - 1
    edges_s, offset_s = _without(stalls, edges_s), _without(stalls, times_s)
    edges_s, offset_s = edges_s - edges_s[0], offset_s - edges_s[0]
    count = np.bincount(bins, weights, n)
    moment = np.bincount(bins, offset_s if weights is None else offset_s * weights, n)
    before = np.cumsum(count) * edges_s[1:] - np.cumsum(moment)
    return np.append(0.0, before)


def _without(stalls: Sequence[Stall], times_s: Floats) -> Floats:
    """The times on a clock that stands still while the server stalls."""
    if not stalls:
        return times_s
    lengths_s = np.array([stall.length_s for stall in stalls])
    ends_s = np.cumsum(lengths_s)
    stood_s = np.column_stack([ends_s - lengths_s, ends_s]).ravel()
    at_s = [second for stall in stalls for second in (stall.start_s, stall.end_s)]
    return np.asarray(times_s - np.interp(times_s, at_s, stood_s), dtype=float)


def _tokens(data: Columns, stamps: Stamps | None, edges_s: Floats, stalls: Sequence[Stall]) -> Floats:
    known = (data.output_tokens > 0) & ~np.isnan(data.finished_s)
    tokens = np.zeros(len(edges_s) - 1)
    if stamps is not None:
        lengths = np.diff(stamps.arrivals.offsets)
        kept = stamps.rows >= 0
        kept[kept] = lengths[stamps.rows[kept]] > 0
        tokens += _arrived(stamps, data.output_tokens, known & kept, edges_s)
        known &= ~kept
    first_s, finished_s, n = data.first_s[known], data.finished_s[known], data.output_tokens[known]
    length_s = _without(stalls, finished_s) - _without(stalls, first_s)
    spread = (n > 1) & (length_s > LEAST_S)
    at_once_s, at_once = np.where(np.isnan(first_s), finished_s, first_s), np.where(spread, 1.0, n)
    tokens += np.bincount(_bins(at_once_s, edges_s), at_once, len(tokens))
    per_s = (n[spread] - 1) / length_s[spread]
    begun = _seconds_before(edges_s, first_s[spread], per_s, stalls)
    risen = begun - _seconds_before(edges_s, finished_s[spread], per_s, stalls)
    return np.asarray(tokens + np.diff(risen), dtype=float)


def _arrived(stamps: Stamps, output_tokens: Floats, which: npt.NDArray[np.bool_], edges_s: Floats) -> Floats:
    """Each request's tokens by its arrivals, in equal parts: blocks of requests, so that little is held at once."""
    offsets, rows = stamps.arrivals.offsets, stamps.rows[which]
    counts = np.zeros(len(offsets) - 1)
    counts[rows] = output_tokens[which] / np.diff(offsets)[rows]
    out = np.zeros(len(edges_s) - 1)
    for begin in range(0, len(counts), BLOCK):
        part = offsets[begin : begin + BLOCK + 1]
        times_s = stamps.arrivals.stamps_us[part[0] : part[-1]] / US_PER_S
        weights = np.repeat(counts[begin : begin + BLOCK], np.diff(part))
        out += np.bincount(_bins(times_s, edges_s), weights, len(out))
    return out
