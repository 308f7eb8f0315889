"""When a step is lost before all its requests have ended: too many of them broke a limit already."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.backends.faults import refused_for
from harness.metrics.slo import SURE, at_least
from harness.metrics.windows import tpot_s
from harness.rundir.records import NOT_FAILURES
from harness.rundir.results import MIN_SLO_SAMPLES
from harness.scenario import Limit, Scenario

_TPOT = ("first_token_s", "finished_s", "output_tokens", "events", "tpot_share")
WAITED_FOR = ("ttft", "e2e")
LATE_S = 1.0  # rows reach the disk, and then us, at most this much after they ended


@dataclass(slots=True)
class Tally:
    """What a step's window has so far: latencies in seconds by kind (ttft, tpot, e2e), failures, and for how long
    those have waited that are under way without a first token."""

    from_schedule: bool = False  # latencies begin at the planned instant, as in an open load
    latencies_s: dict[str, list[float]] = field(default_factory=lambda: {"ttft": [], "tpot": [], "e2e": []})
    failed: int = 0
    waits_s: list[float] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)  # request_ids of the rows that are in

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a row of the window; definitions as in harness.metrics.steps."""
        self._seen.add(row["request_id"])
        if row["error"] is not None:
            if refused_for(row["error"], row["error_detail"]) is None:  # others say nothing of the server
                self.failed += row["error"] not in NOT_FAILURES
            return
        sent_s, first_s, end_s = (row[key] for key in (self._begin, "first_token_s", "finished_s"))
        if first_s is not None:
            self.latencies_s["ttft"].append(first_s - sent_s)
        if end_s is not None:
            self.latencies_s["e2e"].append(end_s - sent_s)
        token_s = float(tpot_s(*(np.array(row[key], dtype=float) for key in _TPOT)))
        if not math.isnan(token_s):
            self.latencies_s["tpot"].append(token_s)

    @property
    def _begin(self) -> str:
        return "scheduled_s" if self.from_schedule else "sent_s"

    def wait(self, waiting: Iterable[tuple[str, float, float]], window_start_s: float) -> None:
        """Who is under way without a first token: (request_id, scheduled_s, seconds waited); whose row is in is not
        any more.
        """
        self.waits_s = [
            waited_s
            for request_id, scheduled_s, waited_s in waiting
            if scheduled_s >= window_start_s and request_id not in self._seen
        ]


def late_after_s(scenario: Scenario) -> float | None:
    """The shortest limit that a wait for a first token alone can break; None: there is none."""
    waits = [limit.seconds for limit in scenario.slo.limits() if limit.latency in WAITED_FOR]
    return min(waits, default=None)


def most_to_come(tally: Tally, users: int, left_s: float, unloaded_s: float | None = None) -> int | None:
    """The most requests of the window that can still end well; None while nobody knows how fast one can be.

    Each user has one under way and begins others until the window ends, none faster than the fastest so far, or
    than a request at the smallest load (`unloaded_s`).
    """
    ended = tally.latencies_s["e2e"]
    known = [*(ended if len(ended) >= MIN_SLO_SAMPLES else []), *([unloaded_s] if unloaded_s else [])]
    if not known or min(known) <= 0:
        return None
    return users * (1 + math.ceil(max(left_s, 0.0) / min(known)))


def cannot_pass(tally: Tally, to_come: int, limits: Sequence[Limit], error_rate: float) -> bool:
    """Whether a limit is surely broken (`harness.metrics.slo`) even if all `to_come` further requests end well in it.

    More values make that harder, so the most that can be decide. Who has waited for a first token longer than a limit
    allows has broken it, whenever the token comes.
    """
    well = len(tally.latencies_s["e2e"])
    total = well + tally.failed + to_come
    if well + tally.failed >= MIN_SLO_SAMPLES and _surely_more(total, tally.failed, error_rate):
        return True
    for kind, percentile, limit_s in limits:
        over = [wait for wait in tally.waits_s if wait > limit_s] if kind in WAITED_FOR else []
        values = tally.latencies_s[kind] + over
        still = max(to_come - len(over), 0)  # they are among those to come
        broken = sum(value > limit_s for value in values) + tally.failed
        seen = len(values) + tally.failed
        if seen >= MIN_SLO_SAMPLES and _surely_more(seen + still, broken, 1 - int(percentile[1:]) / 100):
            return True
    return False


def _surely_more(n: int, over: int, share: float) -> bool:
    return over > share * n and at_least(n, share, over) <= SURE
