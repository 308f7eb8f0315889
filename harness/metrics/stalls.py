"""Where a server stalled: answers were under way and no token came from anyone, many times longer than usual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats
from harness.base.units import US_PER_S
from harness.metrics.saturation import in_flight_at
from harness.metrics.windows import Columns, Stamps
from harness.rundir.arrivals import Ints
from harness.rundir.steps import RanStep
from harness.rundir.timeline import Stall

LEAST_S = 1.0  # a shorter silence is nobody's stall
TIMES_GAP = 10.0  # of the usual longest gap inside an answer
TIMES_TTFT = 2.0  # of a late first token: a prefill may hold up the answers beside it
USUAL_GAP = 10  # percentile over a step's answers: nine of ten may have been hit
LATE_TTFT = 90  # percentile
MOST = 100  # stalls that are kept
MIN_ANSWERS = 5  # of a step, to say what is usual


def stalls_of(data: Columns, ends_s: Floats, steps: Sequence[RanStep], stamps: Stamps | None) -> tuple[Stall, ...]:
    """The silences of the whole server, in order of time; each belongs to the step that it began in.

    A silence lies between two neighbours of all first and last tokens. It is a stall where
    - some answer was under way through all of it (first token before, last one or its end in `ends_s` after): a queue,
      a lone prefill and answers that are not streamed, which have no first token, are none;
    - each of these answers had a gap as long as the limit (`max_gap_s`, or the wait for its time-out): one user who
      waits while others get tokens is none; two answers and more had gaps longer than half the silence, so that all
      of them were silent at one moment;
    - the limit is a second, 10 times the usual gap of the step's answers (10th percentile of `max_gap_s`: the bursts
      of a slow server or of a proxy are none), or twice a late first token (90th percentile of TTFT: a prefill that
      holds up its neighbours is none), whichever is longest.
    Arrivals, where kept, tell the exact place. Of more than a hundred the longest are kept.
    """
    who = np.flatnonzero(~np.isnan(data.first_s) & (ends_s > data.first_s))
    if not len(who):
        return ()
    first_s, until_s = data.first_s[who], ends_s[who]
    gaps_s = np.fmax(data.max_gap_s[who], until_s - np.fmax(data.finished_s[who], first_s))
    begins_s = np.array([ran.start_s for ran in steps])
    signs_s = np.concatenate([first_s, data.finished_s[~np.isnan(data.finished_s)], [until_s.max()]])
    signs_s.sort()
    wide = np.flatnonzero(np.diff(signs_s) >= LEAST_S)
    if not len(wide):
        return ()
    from_s, to_s = signs_s[wide], signs_s[wide + 1]
    step = _step_of(from_s, begins_s)
    limit_s = _limits_s(_step_of(first_s, begins_s), data.max_gap_s[who], data.ttft_s[who], len(steps))[step]
    silent = (to_s - from_s >= limit_s) & _all_silent(first_s, until_s, gaps_s, from_s, to_s, limit_s)
    found = []
    for k, inside in _answers_of(first_s, until_s, from_s, to_s, np.flatnonzero(silent)):
        stall = _placed((float(from_s[k]), float(to_s[k])), gaps_s[inside], who[inside], stamps)
        if stall is not None and stall[2] >= limit_s[k]:
            found.append((*stall, steps[int(step[k])].step))
    longest = sorted(sorted(found, key=lambda stall: -stall[2])[:MOST])
    middles_s = np.array([(start_s + end_s) / 2 for start_s, end_s, *_ in longest])
    busy = in_flight_at(middles_s, data.sent_s, ends_s) if longest else middles_s
    return tuple(
        Stall(step=at, start_s=round(a_s, 6), end_s=round(b_s, 6), length_s=round(length_s, 6), in_flight=int(n))
        for (a_s, b_s, length_s, at), n in zip(longest, busy, strict=True)
    )


def _step_of(times_s: Floats, begins_s: Floats) -> Ints:
    """The place of the step that each time lies in; what comes before the first belongs to it."""
    return np.maximum(np.searchsorted(begins_s, times_s, side="right") - 1, 0)


def _limits_s(step: Ints, gaps_s: Floats, ttft_s: Floats, steps: int) -> Floats:
    """How long a silence is a stall, for each step; one with too few answers has what is usual in the run."""

    def limit_s(which: npt.NDArray[np.bool_]) -> float:
        gaps, ttft = (values[which & ~np.isnan(values)] for values in (gaps_s, ttft_s))
        if len(gaps) < MIN_ANSWERS:
            return float("inf")
        late_s = float(np.percentile(ttft, LATE_TTFT)) if len(ttft) else 0.0
        return max(LEAST_S, TIMES_GAP * float(np.percentile(gaps, USUAL_GAP)), TIMES_TTFT * late_s)

    own = np.array([limit_s(step == at) for at in range(steps)])
    return np.where(np.isinf(own), limit_s(np.ones(len(step), bool)), own) if np.isinf(own).any() else own


def _all_silent(
    first_s: Floats, until_s: Floats, gaps_s: Floats, from_s: Floats, to_s: Floats, limit_s: Floats
) -> npt.NDArray[np.bool_]:
    """Whether some answer was under way through each silence, and none that had no gap of the limit."""
    silent = _through(first_s, until_s, from_s, to_s) > 0
    for least_s in np.unique(limit_s[silent]):
        mine = silent & (limit_s == least_s)
        short = ~(gaps_s >= least_s) & (first_s <= from_s[mine][-1]) & (until_s >= to_s[mine][0])
        silent[mine] = _through(first_s[short], until_s[short], from_s[mine], to_s[mine]) == 0
    return silent


def _through(first_s: Floats, until_s: Floats, from_s: Floats, to_s: Floats) -> Ints:
    """How many answers were under way from the beginning to the end of each silence; these do not overlap."""
    began, over = np.searchsorted(from_s, first_s), np.searchsorted(to_s, until_s, side="right")
    covers = over > began
    n = len(from_s) + 1
    change = np.bincount(began[covers], minlength=n) - np.bincount(over[covers], minlength=n)
    return np.cumsum(change)[:-1]


def _answers_of(
    first_s: Floats, until_s: Floats, from_s: Floats, to_s: Floats, silences: Ints
) -> Iterator[tuple[int, Ints]]:
    """Each of these silences with the places of the answers that were under way through it."""
    began, over = np.searchsorted(from_s[silences], first_s), np.searchsorted(to_s[silences], until_s, side="right")
    answers = np.flatnonzero(over > began)
    often = (over - began)[answers]
    of_answer = np.repeat(answers, often)
    silence = np.arange(often.sum()) - np.repeat(np.cumsum(often) - often, often) + np.repeat(began[answers], often)
    order = np.argsort(silence, kind="stable")
    edges = np.searchsorted(silence[order], np.arange(len(silences) + 1))
    for n, k in enumerate(silences):
        yield int(k), of_answer[order[edges[n] : edges[n + 1]]]


def _placed(
    between: tuple[float, float], gaps_s: Floats, who: Ints, stamps: Stamps | None
) -> tuple[float, float, float] | None:
    """Start, end and length of the silence between two known tokens; None where not all were silent at once."""
    from_s, to_s = between
    if stamps is not None and (stamps.rows[who] >= 0).all():
        seen = [stamps.arrivals.of_row(row) / US_PER_S for row in stamps.rows[who]]
        inside = np.sort(
            np.concatenate([[from_s, to_s], *(times[(times > from_s) & (times < to_s)] for times in seen)])
        )
        longest = int(np.diff(inside).argmax())
        return float(inside[longest]), float(inside[longest + 1]), float(inside[longest + 1] - inside[longest])
    length_s = min(float(gaps_s.min()), to_s - from_s)
    return None if len(gaps_s) > 1 and 2 * length_s <= to_s - from_s else (from_s, to_s, length_s)
