"""The parts of a step's figures in metrics.json: its load, latencies, phases, turns, replicas.

Times are seconds since the run began, rates are per second of a step's window, unknown is None, never 0.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from harness.rundir.result import Result, WindowOfStep

Role = Literal["attempts", "escalation", "judging"]  # what a step of a task run asks
MOST_LOAD = 1e9  # users, or requests per second: more than anybody asks for


def is_of_the_load(round_number: int | None, role: Role | None) -> bool:
    """Whether a step is a load that the scenario asked for; later rounds of tasks only give what they solve."""
    return round_number in (None, 1) and role in (None, "attempts")


class LoadOfStep(Result):
    """The load that a step asked for: users at once, or requests per second; a slice of a ramp has half users."""

    kind: str
    users: Annotated[int | float, Field(ge=0, le=MOST_LOAD)] | None = None
    requests_per_s: Annotated[float, Field(ge=0, le=MOST_LOAD)] | None = None

    @model_serializer(mode="wrap")
    def _without_the_other(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = dump(self)
        return {key: value for key, value in data.items() if value is not None}

    @property
    def size(self) -> float:
        """What loads are put in order by; 0 where it is not told."""
        return float(self.users or self.requests_per_s or 0)

    @property
    def is_silence(self) -> bool:
        """Whether nothing was asked for: a part of a log in which nothing came."""
        return self.requests_per_s == 0

    @property
    def words(self) -> str:
        """`1 user`, `4 users` or `0.5 requests/s`."""
        if self.users is not None:
            return f"{self.users:g} user{'' if self.users == 1 else 's'}"
        return "an unknown load" if self.requests_per_s is None else f"{self.requests_per_s:g} requests/s"


class Summary(Result):
    """A latency over the good requests of a window, in seconds; percentiles None where there is no value."""

    n: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None

    def percentile(self, name: str) -> float | None:
        """The percentile called `p50`, `p90`, `p95` or `p99`."""
        value: float | None = {"p50": self.p50, "p90": self.p90, "p95": self.p95, "p99": self.p99}[name]
        return value


class LimitOfStep(Result):
    """How near a step comes to a limit; the failed requests count as over it. Ends None where there is none."""

    percentile: float
    n: int
    over: int
    ratio: float | None = None  # the percentile as a share of the limit
    low: float | None = None  # its ends by order statistics, each one-sided at 95 %
    high: float | None = None
    spread: float = 1.0  # variance of the count over it, as a multiple of independent requests'
    unknown: int = 0  # good requests beside them, whose latency nobody knows


class Phases(Result):
    """When each phase of a step began and ended; `cut` counts requests of the window that the hold's end cut."""

    enter: WindowOfStep  # new users begin one by one
    warmup: WindowOfStep
    window: WindowOfStep
    hold: WindowOfStep | None = None  # the same load, until all that was due in the window had ended
    drained_s: float | None = None  # until when nothing began, so that a backlog could end
    bound: bool = False  # the hold took as long as it may
    cut: int = 0


class DriftOfStep(Result):
    """A speed that changes too slowly for the window: for how long it remembers, and a window that would do."""

    memory_s: float
    needed_s: float


class TurnOfStep(Result):
    """One turn of all conversations, over the good requests of a window.

    `entered` counts those that entered a conversation there, with a history that no cache knew; TTFT and cached tokens
    are of the others.
    """

    turn: int  # from 0; `number` is what people read
    requests: int
    input_tokens: float | None = None  # the mean
    output_tokens: float | None = None
    cached_tokens: float | None = None
    ttft_s: Summary = Summary()
    entered: int = 0

    @property
    def number(self) -> int:
        """The turn as people count."""
        return self.turn + 1


class SaidOfError(Result):
    """What was said of failures of one kind; of words that differ in their numbers alone the first."""

    words: str
    requests: int


class ErrorOfStep(Result):
    """The failures of one kind, with the words that were said most often."""

    kind: str  # as in the records: `timeout`, `http_503`
    requests: int
    said: tuple[SaidOfError, ...] = ()


class Warmup(Result):
    """What a step's window leaves out: as given, and as found in its own requests (None: it cannot be told)."""

    given_s: float
    found_s: float | None = None
    settled: bool | None = None


class ReplicaOfStep(Result):
    """One URL of several over a step's window; latencies of its good requests."""

    url: str
    requests: int
    failed: int = 0
    requests_per_s: float
    output_tokens_per_s: float
    ttft_s: Summary = Summary()
    tpot_s: Summary = Summary()
    in_flight: float  # on average
    gone_s: float | None = None  # of the run, from when on it only failed to the end, while another served
    failing: bool = False  # it went away, answered nothing, or its failures are over the limit, while another's are not

    @property
    def answered(self) -> int:
        """Good answers."""
        return self.requests - self.failed

    @property
    def is_there(self) -> bool:
        """Whether it answered anything well, be it to requests that were due before the window, or to repeats."""
        return self.answered > 0 or self.requests_per_s > 0

    @property
    def failed_share(self) -> float:
        """Failures of its requests; 0 where it had none."""
        return self.failed / self.requests if self.requests else 0.0

    @property
    def words(self) -> str:
        """`replica http://b answered none of its 30 requests`."""
        if self.answered and self.gone_s is not None:
            return f"replica {self.url} answered nothing any more from second {self.gone_s:.1f} of the run on"
        if self.requests and self.answered:
            return f"{self.failed} of {self.requests} requests to replica {self.url} failed"
        asked = f"none of its {self.requests} requests" if self.requests else "nothing"
        return f"replica {self.url} answered {asked}"
