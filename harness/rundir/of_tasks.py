"""metrics.json's `tasks`: what a task run solved, with how many attempts and tokens, and in what time.

A task counts as solved where any of its attempts is; as not judged where none is and one was not judged. Its own
attempts, tokens and failures are those at the endpoint that was driven: an escalation and a model that judges are
elsewhere, at other prices, and stand apart. Unknown is None, never 0.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.rundir.of_step import Role, Summary
from harness.rundir.result import Result

Constrained = Literal["none", "json_schema", "grammar"]


class ShareOf(Result):
    """A share with its two-sided 95 % interval (Wilson's score); all None of nothing."""

    rate: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether there was anything to take a share of."""
        return self.rate is not None


class FailedAttempts(Result):
    """Attempts that were judged and failed, and the tokens that they took."""

    attempts: int = 0
    input_tokens: float | None = None  # None: the endpoint did not say of every one
    output_tokens: float | None = None
    never_solved: int = 0  # of them, attempts at tasks that nothing solved
    reasons: dict[str, int] = Field(default={}, description="The commonest reasons, and how many attempts each.")


class RoundOfTasks(Result):
    """One round: the tasks that were asked in it, and what came of them."""

    round: int
    step: int
    role: Role
    asked: int
    solved: int = 0
    not_judged: int = 0
    not_asked: int = 0  # the round's time was too short for them


class Escalated(Result):
    """The tasks that went on to another endpoint; tokens are per task that went there."""

    tasks: int
    solved: int
    attempts: int
    input_tokens_per_task: float | None = None
    cached_tokens_per_task: float | None = None
    output_tokens_per_task: float | None = None
    api: str | None = None  # provider:model, for its price; None: nobody said


class Judging(Result):
    """The requests to a model that judges."""

    requests: int
    input_tokens: float | None = None
    output_tokens: float | None = None
    api: str | None = None


class TasksOfRun(Result):
    """What came of all tasks that were asked, after the last attempt."""

    n: int
    judged: int
    not_judged: int
    solved: int
    success: ShareOf  # of the judged tasks
    own_success: ShareOf = ShareOf()  # the same without what an escalation solved
    first_attempt: ShareOf = ShareOf()  # solved by their first attempt
    repaired: int = 0  # of those solved: by a library that mended the answer, without another request
    attempts_per_task: float | None = None
    requests_per_task: float | None = None  # one an attempt, but for tasks of several turns; None: an older version
    summaries_per_task: float = 0  # of them, those that asked for a summary of older turns
    input_tokens_per_task: float | None = None
    cached_tokens_per_task: float | None = None
    output_tokens_per_task: float | None = None
    first_input_tokens: float | None = None  # of a task's first attempt: later ones may be longer
    first_output_tokens: float | None = None
    failed_attempts: FailedAttempts = FailedAttempts()
    latency_s: Summary = Summary()  # of a task: the sum of all its attempts
    rounds: tuple[RoundOfTasks, ...] = ()
    escalated: Escalated | None = None
    judging: Judging | None = None
    constrained: Constrained = "none"
    context: str = "all"  # what a turn sends of those before, in words

    @property
    def calls_per_task(self) -> float | None:
        """Requests of all attempts of a task: what is paid for, where a task has several turns."""
        return self.attempts_per_task if self.requests_per_task is None else self.requests_per_task
