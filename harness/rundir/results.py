"""metrics.json as types: what was measured, step by step. Built once, never changed; JSON Schema follows from them.

Times are seconds since the run began, rates are per second of a step's window, unknown is None, never 0. Keys of a
file that are not known here are left out when it is read; keys that an older version did not write have defaults.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.base.rounding import significant
from harness.rundir.accounts import GpuAccount, ServerAccount, ServerSaid, ServerTimes
from harness.rundir.of_step import (
    DriftOfStep,
    ErrorOfStep,
    LimitOfStep,
    LoadOfStep,
    Phases,
    ReplicaOfStep,
    Role,
    Summary,
    TurnOfStep,
    Warmup,
    is_of_the_load,
)
from harness.rundir.of_tasks import TasksOfRun
from harness.rundir.result import Check, Result, WindowOfStep
from harness.rundir.timeline import Timeline

METRICS_SCHEMA = 1

SloSays = Literal["yes", "no", "not_sure", "not_judged"]
MIN_SLO_SAMPLES = 10  # requests; of fewer no limit is judged


def step_number(step: int) -> int:
    """A step as people count: from 1; files count from 0."""
    return step + 1


class Step(Result):
    """One load step over its window."""

    step: int  # from 0; `number` is what people read
    round: int | None = None  # of a task run, from 1; None: it is none
    role: Role | None = None  # likewise
    load: LoadOfStep
    window: WindowOfStep
    requests: int
    failed: int = 0
    errors: tuple[ErrorOfStep, ...] | None = None  # of those, by kind; None: an older version did not look
    refused: int = 0  # of those: by a quota or for the key, which tells nothing of the server
    requests_per_s: float | None = None
    input_tokens_per_s: float | None = None
    output_tokens_per_s: float | None = None
    ttft_s: Summary = Summary()
    tpot_s: Summary = Summary()
    itl_s: Summary | None = None
    e2e_s: Summary = Summary()
    ttft_quantiles_s: tuple[float, ...] | None = None  # at stats.SHARES; None: too few, or an older version
    tpot_quantiles_s: tuple[float, ...] | None = None
    schedule_lag_s: Summary = Summary()
    phases: Phases | None = None  # None: an older version, whose steps had no hold
    peak_in_flight: int | None = None  # most requests at once; None: an older version did not look
    slo_met: bool | None = None  # by the point percentiles; None: not judged
    slo_verdict: SloSays | None = None  # how sure that is; None: an older version did not say
    limits: dict[str, LimitOfStep] = Field(default={})
    offered_requests_per_s: float | None = None  # this and the next three: of an open load alone
    sent_requests_per_s: float | None = None
    not_sent: int | None = None
    over_saturated: bool | None = None
    queue_at_start: int | None = None  # of a ramp by rate or a log: under way for longer than unloaded
    inherited_queue: bool = False  # not judged, since it failed under the queue of a heavier load before it
    given_up: bool = False  # cut, or its hold was, since it could not pass any more
    goodput_requests_per_s: float | None = None
    goodput_low: float | None = None
    goodput_high: float | None = None
    drift: DriftOfStep | None = None
    mean_input_tokens: float | None = None
    mean_output_tokens: float | None = None
    mean_requested_output_tokens: float | None = None
    cached_input_tokens: float | None = None
    turns: tuple[TurnOfStep, ...] | None = None  # None: no conversations, or an older version
    warmup: Warmup | None = None
    server_times: ServerTimes | None = None
    server: ServerAccount | None = None
    gpu: GpuAccount | None = None
    replicas: tuple[ReplicaOfStep, ...] = ()  # where several URLs were driven
    void: str | None = None  # why it is of another fleet or load than was asked for, and no goodput
    checks: tuple[Check, ...] = ()

    @property
    def number(self) -> int:
        """The step as people count."""
        return step_number(self.step)

    @property
    def is_load(self) -> bool:
        """Whether it may be judged and priced."""
        return is_of_the_load(self.round, self.role)

    @property
    def verdict(self) -> SloSays:
        """How sure `slo_met` is."""
        if self.slo_verdict is not None:
            return self.slo_verdict
        return "not_judged" if self.slo_met is None else "yes" if self.slo_met else "no"

    @property
    def was_lost(self) -> bool:
        """Whether it fails however good those are that were served: cut, a queue that grew, arrivals dropped."""
        return self.slo_met is False and bool(self.given_up or self.over_saturated or self.not_sent)

    @property
    def was_refused(self) -> bool:
        """Whether it is void, and requests of it were refused by others than the server."""
        return self.refused > 0 and self.void is not None

    def voided(self, why: str) -> Step:
        """The same without a verdict and a goodput."""
        unknown = dict.fromkeys(("goodput_requests_per_s", "goodput_low", "goodput_high", "slo_met"))
        return self.model_copy(update={**unknown, "void": why, "slo_verdict": "not_judged"})

    def latency(self, name: str) -> Summary:
        """The latency called `ttft`, `tpot` or `e2e`."""
        return {"ttft": self.ttft_s, "tpot": self.tpot_s, "e2e": self.e2e_s}[name]

    def quantiles_s(self, name: str) -> tuple[float, ...] | None:
        """The distribution of the latency called `ttft` or `tpot`, at the shares that are kept."""
        return {"ttft": self.ttft_quantiles_s, "tpot": self.tpot_quantiles_s}[name]


class Goodput(Result):
    """Requests per second within the SLO, and the step that gives them; its ends None where there is no interval."""

    requests_per_s: float | None = Field(ge=0)
    low: float | None = Field(default=None, ge=0)
    high: float | None = Field(default=None, ge=0)
    confidence: float = 0.95
    step: int | None = None
    at_least: bool = False  # the highest load passed and the rate still grew: the box was not filled, no `high`
    at_most: bool = False  # even the lowest load may break a limit: no `low` and no `requests_per_s`

    def each_of(self, instances: float) -> Goodput:
        """Of one instance, what was driven being so many."""
        ends = {
            end: None if value is None else value / instances
            for end, value in (("requests_per_s", self.requests_per_s), ("low", self.low), ("high", self.high))
        }
        return self.model_copy(update=ends)


class Metrics(Result):
    """metrics.json."""

    version: int = Field(default=METRICS_SCHEMA, alias="schema")
    steps: tuple[Step, ...]
    goodput: Goodput | None = None
    checks: tuple[Check, ...] = ()
    server: ServerSaid | None = None  # None: a run from before there was an account
    timeline: Timeline | None = None  # None: nothing was sent
    tasks: TasksOfRun | None = None  # None: no task run

    @property
    def loads(self) -> tuple[Step, ...]:
        """The steps that may be judged and priced: of a task run the first round."""
        return tuple(step for step in self.steps if step.is_load)

    @property
    def decisive(self) -> Step | None:
        """The step that counts: the one that gives the goodput, without one that of most output; None: no step."""
        return self.at_slo or self.busiest or next(iter(self.loads), None)

    @property
    def at_slo(self) -> Step | None:
        """The step that gives the goodput; None where none does."""
        return next((s for s in self.loads if self.goodput is not None and s.step == self.goodput.step), None)

    @property
    def failing(self) -> str:
        """The replicas that failed by themselves, in words, each where it first did; empty where none did."""
        found = {one.url: one.words for step in reversed(self.loads) for one in step.replicas if one.failing}
        return "; ".join(found.values())

    @property
    def is_judged(self) -> bool:
        """Whether any step's limits could be judged, by requests that did not all fail, of the fleet that was named."""
        if self.failing:
            return False
        if self.goodput is not None:
            return True
        judged = [step for step in self.loads if step.verdict != "not_judged" and step.failed < step.requests]
        return bool(judged) and not self.has_inherited_queues and not self._unseen

    @property
    def _unseen(self) -> list[Step]:
        """The steps whose requests were refused by others than the server, which might have served them: none that
        failed was lighter.
        """
        lightest = min((step.load.size for step in self.loads if step.slo_met is False), default=math.inf)
        return [step for step in self.loads if step.was_refused and step.load.size <= lightest]

    @property
    def has_inherited_queues(self) -> bool:
        """Whether a step was not judged because of the queue that it began with."""
        return any(step.inherited_queue for step in self.loads)

    @property
    def why_not_judged(self) -> str:
        """Why no step's limits could be judged, where they could not."""
        if self.failing:
            return self.failing
        if self.has_inherited_queues:
            late = sum(step.inherited_queue for step in self.loads)
            return f"{late} of {len(self.loads)} steps began with the queue of a heavier one"
        if self._unseen:
            return self._unseen[0].void or ""
        tried = [step for step in self.loads if step.requests]
        if tried and all(step.void is not None for step in tried):
            return tried[0].void or ""
        if all(step.failed == step.requests for step in tried):
            return "every request failed" if tried else "no request ended"
        if (most := max(step.requests for step in tried)) < MIN_SLO_SAMPLES:
            return f"the best step has {most} requests"
        return "a latency that is limited is unknown"

    def why_no_goodput(self, instances: float = 1.0) -> str:
        """Why no one figure says what an instance serves within the limits; so many were driven."""
        if not self.loads:
            return "nothing was measured"
        if self.goodput is not None and self.goodput.at_most:
            return f"no load surely met the SLO, at most {significant(self.goodput.each_of(instances).high)} req/s"
        return "no load step met the SLO" if self.is_judged else f"not judged, because {self.why_not_judged}"

    @property
    def busiest(self) -> Step | None:
        """The step of most output; None: no step had any."""
        busy = [step for step in self.loads if step.output_tokens_per_s]
        return max(busy, key=lambda step: step.output_tokens_per_s or 0.0, default=None)

    def with_checks(self, of_steps: Sequence[Sequence[Check]], of_run: Sequence[Check]) -> Metrics:
        """The same with its findings, a list for each step in order."""
        steps = tuple(
            step.model_copy(update={"checks": tuple(found)}) for step, found in zip(self.steps, of_steps, strict=True)
        )
        return self.model_copy(update={"steps": steps, "checks": tuple(of_run)})
