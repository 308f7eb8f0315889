"""decision.json's `success` of an arm: what a task costs that really got done, and how often each side solves one.

Money is USD, tokens are each side's own. Unknown is None, never 0.
"""

from harness.rundir.decide import Side
from harness.rundir.of_step import Summary
from harness.rundir.result import Kind, Result


class SuccessCost(Result):
    """One side's cost of a task and of a solved task."""

    usd_per_task: float
    usd_per_solved_task: float | None
    people_usd_per_task: float


class TriesOfSide(Result):
    """How often a side is asked for a task, how many it solves, and what its failed attempts take."""

    attempts_per_task: float
    solved_share: float
    low: float | None = None  # of the solved share, at 95 %
    high: float | None = None
    kind: Kind  # assumed: nobody asked it these tasks
    source: str
    tasks: int | None = None  # judged
    input_tokens_per_task: float | None = None  # in its own tokens
    cached_tokens_per_task: float | None = None
    output_tokens_per_task: float | None = None
    latency_s: Summary | None = None  # of a task, all its attempts
    ttft_s: Summary | None = None  # of the first round's requests
    elsewhere_usd_per_task: float = 0.0  # its escalation, at another API's prices
    failed_usd_per_task: float | None = None  # of what a task costs there: attempts that failed
    judging_usd_per_task: float | None = None  # in no side's price; None: no model judged, or it has no price


class SuccessDifference(Result):
    """Share of the tasks that the API solves minus the box's, of the very same tasks where `paired`."""

    share: float
    low: float
    high: float
    only_api: int  # tasks that the API alone solved
    only_self_host: int
    both: int
    neither: int
    chance: float  # how often chance alone makes as large a one: McNemar's exact test
    differs: bool  # more than chance


class Indifference(Result):
    """What a failure may cost until both sides come to the same: above it the one that solves more is worth it."""

    human_usd_per_task: float | None  # None: one side is never dearer, or both solve the same share
    low: float | None = None  # at the ends of the difference in success
    high: float | None = None  # None: the difference may be none, and then nothing is dear enough
    better: Side | None = None  # who solves more
    words: str


class Success(Result):
    """Cost of a task that really got done; `human_usd_per_task` None: nobody takes over what failed."""

    attempts_per_task: float
    solved_share: float
    human_usd_per_task: float | None
    api: SuccessCost
    self_host: SuccessCost | None
    api_tries: TriesOfSide | None = None  # None: no tasks were measured or said, one failure rate holds for both
    self_tries: TriesOfSide | None = None
    tokenizer_ratio: float | None = None  # the API's tokens over ours of the same text; None: not measured
    difference: SuccessDifference | None = None  # None: not asked the same tasks
    indifference: Indifference | None = None
