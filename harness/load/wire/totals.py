"""How a load stands while it runs, for the display and for whoever ends it; no metric comes from here."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.backends.faults import REFUSALS
from harness.rundir.records import NOT_FAILURES, RequestRecord

RECENT = 200  # latest times of requests known while running
MOST_RECENT = 1000  # of the last seconds: more would hold the loop up
LAST_S = 10.0  # what is called the last seconds


@dataclass(frozen=True, slots=True)
class Timed:
    """How long something took, and when it was over."""

    at_s: float
    took_s: float


def last_seconds(times: Iterable[Timed], now_s: float) -> list[float]:
    """What the last seconds brought, the smallest first."""
    return sorted(timed.took_s for timed in times if timed.at_s >= now_s - LAST_S)


@dataclass(slots=True)
class Totals:
    """Of one load process, since it began."""

    in_flight: int = 0
    sent: int = 0
    finished: int = 0
    failed: int = 0
    not_sent: int = 0
    token_events: int = 0  # of requests that ended, however they did; tokens, where the server counts them
    events: int = 0  # that carried a token
    shared_events: int = 0  # of them, those that came out of one read with others
    late_s: float = 0.0  # the latest sending since somebody looked, after its plan
    refused: int = 0  # answers that any further request would get too
    unreachable: int = 0  # requests in a row, up to now, that found nobody
    unreachable_since_s: float = 0.0  # when the first of them ended
    ttft: deque[Timed] = field(default_factory=lambda: deque(maxlen=MOST_RECENT))
    tpot: deque[Timed] = field(default_factory=lambda: deque(maxlen=MOST_RECENT))
    errors: Counter[str] = field(default_factory=Counter)  # failed requests by kind
    e2e_s: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))
    last_error: str | None = None

    def note(self, row: RequestRecord, shared_events: int, now_s: float) -> None:
        """A request has ended: its row is written."""
        self.events += row.events
        self.shared_events += shared_events
        self.token_events += row.output_tokens or row.events
        if row.repeat:
            return
        if row.error is None:
            self.finished += 1
        elif row.error not in NOT_FAILURES and not row.retried:
            self.failed += 1
            self.errors[row.error] += 1
            self.refused += row.http_status in REFUSALS
            self.last_error = f"{row.error}: {row.error_detail}" if row.error_detail else row.error
        if row.error == "connect":
            self.unreachable_since_s = self.unreachable_since_s if self.unreachable else now_s
            self.unreachable += 1
        elif row.error not in NOT_FAILURES:
            self.unreachable = 0
        if row.first_token_s is not None and row.sent_s is not None:
            self.ttft.append(Timed(row.first_token_s, row.first_token_s - row.sent_s))
            later = (row.output_tokens or row.events) * (row.tpot_share or 0.0)
            if row.finished_s is not None and later > 0:
                self.tpot.append(Timed(row.finished_s, (row.finished_s - row.first_token_s) / later))
        if row.error is None and row.finished_s is not None and row.sent_s is not None:
            self.e2e_s.append(row.finished_s - row.sent_s)
