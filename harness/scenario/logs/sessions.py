"""Which requests of a log belong to one conversation, and how it grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.base.stats import Floats
from harness.scenario.logs.request_log import RequestLog
from harness.scenario.logs.values import Names

MS_PER_S = 1000
_NO_PARENT = ("-1", "")


@dataclass(frozen=True, slots=True)
class Growth:
    """Conversations of a log: how many, how long, and what a turn adds to the input."""

    sessions: int
    turns: float  # of the mean session
    base_tokens: float  # input of the first turn
    growth_tokens: float  # what each further one adds


def roots_of(own: Names, parents: Names) -> Names:
    """The first request of each one's chain; rows stand in any order."""
    above = {
        own.names[code]: parents.names[parent]
        for code, parent in zip(own.codes.tolist(), parents.codes.tolist(), strict=True)
        if code >= 0 and parent >= 0 and parents.names[parent] not in _NO_PARENT
    }
    roots: dict[str, str] = {}
    for name in own.names:
        chain = [name]
        while chain[-1] in above and chain[-1] not in roots and len(chain) <= len(above):
            chain.append(above[chain[-1]])
        root = roots.get(chain[-1], chain[-1])
        roots.update(dict.fromkeys(chain, root))
    index = {root: n for n, root in enumerate(dict.fromkeys(roots.values()))}
    codes = np.array([index[roots[name]] for name in own.names] + [-1], dtype=np.int32)
    return Names(codes[own.codes], tuple(index))


def with_delays(seconds: Floats, delay_ms: Floats | None, session: Names) -> Floats:
    """The times, where a turn without one comes `delay_ms` after the turn before it."""
    if delay_ms is None or not np.isnan(seconds).any():
        return seconds
    last: dict[int, float] = {}
    out = seconds.copy()
    for n, code in enumerate(session.codes.tolist()):
        if np.isnan(out[n]) and code in last:
            out[n] = last[code] + np.nan_to_num(delay_ms[n]) / MS_PER_S
        if code >= 0 and not np.isnan(out[n]):
            last[code] = float(out[n])
    return out


def has_own_clocks(seconds: Floats, session: Names | None) -> bool:
    """Whether every conversation's first request is at 0: their times then say nothing of each other."""
    if session is None or len(session.names) < 2:
        return False
    there = (session.codes >= 0) & ~np.isnan(seconds)
    if not there.any():
        return False
    first = np.full(len(session.names), np.inf)
    np.minimum.at(first, session.codes[there], seconds[there])
    return bool((first[np.isfinite(first)] == 0).all() and np.isfinite(first).sum() > 1)


def growth_of(log: RequestLog) -> Growth | None:
    """How the log's conversations grow; None where it knows of none with two turns."""
    if log.session is None or log.is_aggregate:
        return None
    rows = np.flatnonzero((log.session.codes >= 0) & (log.served > 0))
    order = rows[np.argsort(log.session.codes[rows], kind="stable")]
    codes, tokens = log.session.codes[order], log.input_tokens[order]
    if not len(codes):
        return None
    is_next = codes[1:] == codes[:-1]
    if not is_next.any():
        return None
    first = tokens[np.concatenate([[True], ~is_next])]
    return Growth(
        sessions=len(first),
        turns=len(codes) / len(first),
        base_tokens=float(first.mean()),
        growth_tokens=float((tokens[1:] - tokens[:-1])[is_next].mean()),
    )
