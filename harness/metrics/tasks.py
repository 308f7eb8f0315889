"""From records and verdicts to metrics.json's `tasks`: one row an attempt, one outcome a task.

    attempt       the requests of one try at a task, all its turns; its verdict is that of its answer
    outcome       solved where any attempt is; else not judged where one was not judged; else failed
    latency       of a task, the sum of its requests' times; a timeout took as long as it may
Repeats, which only hold the load, are in none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.base.shares import wilson
from harness.base.stats import Floats, known, summary
from harness.metrics.windows import Columns, columns
from harness.rundir.judged import Verdict
from harness.rundir.of_step import Summary
from harness.rundir.of_tasks import Escalated, FailedAttempts, Judging, RoundOfTasks, ShareOf, TasksOfRun
from harness.rundir.steps import RanStep
from harness.scenario import Scenario
from harness.scenario.context import context_words
from harness.scenario.tasks import TaskPrompts

Outcomes = Mapping[str, bool | None]
"""What came of each task: solved, failed, or not judged (None)."""

_TOKENS = ("input", "cached", "output")
_SUMMED = ("spent_s", *_TOKENS)
_NO_TRY = "judging"  # requests to the model that judges
_MOST_REASONS, _LONGEST_REASON = 5, 80  # in characters


def outcomes_of(
    records: pd.DataFrame, verdicts: Sequence[Verdict], steps: Sequence[RanStep], scenario: Scenario
) -> Outcomes:
    """What came of each task that was asked; empty where the scenario has none."""
    if not isinstance(scenario.prompts, TaskPrompts):
        return {}
    return _outcome(_attempts(_requests(records, steps, scenario), verdicts))


def tasks_of(
    records: pd.DataFrame, verdicts: Sequence[Verdict], steps: Sequence[RanStep], scenario: Scenario
) -> TasksOfRun | None:
    """metrics.json's `tasks`; None where the scenario has none, or none was asked."""
    prompts = scenario.prompts
    if not isinstance(prompts, TaskPrompts):
        return None
    requests = _requests(records, steps, scenario)
    attempts = _attempts(requests, verdicts)
    outcome = _outcome(attempts)
    if not outcome:
        return None
    own, escalated = (attempts[attempts["role"] == role] for role in ("attempts", "escalation"))
    asked = requests[requests["role"] == "attempts"]
    first = own[own["attempt"] == 1]
    judged_first = first.loc[first["judged"], "solved"]
    first_tokens = _tokens(first, len(first), "")
    n, judged, solved = len(outcome), sum(one is not None for one in outcome.values()), sum(map(bool, outcome.values()))
    return TasksOfRun(
        n=n,
        judged=judged,
        not_judged=n - judged,
        solved=solved,
        success=_share(solved, judged),
        own_success=_share(own.loc[own["solved"], "task"].nunique(), judged),
        first_attempt=_share(int(judged_first.sum()), len(judged_first)),
        repaired=int((attempts["solved"] & attempts["repaired"]).sum()),
        attempts_per_task=len(own) / n,
        requests_per_task=len(asked) / n,
        summaries_per_task=int(asked["summary"].sum()) / n,
        **_tokens(own, n, "_tokens_per_task"),
        first_input_tokens=first_tokens["input"],
        first_output_tokens=first_tokens["output"],
        failed_attempts=_failed(own, outcome),
        latency_s=Summary(**summary(known(_latencies_s(attempts)))),
        rounds=tuple(_round(attempts, ran) for ran in steps if ran.role not in (None, _NO_TRY)),
        escalated=_escalated(escalated, prompts) if len(escalated) else None,
        judging=_judging(requests[requests["role"] == _NO_TRY], prompts),
        constrained=prompts.constrained,
        context=context_words(prompts.context),
    )


def _requests(records: pd.DataFrame, steps: Sequence[RanStep], scenario: Scenario) -> pd.DataFrame:
    """Every request of a round: what it was for, how long it took, and the tokens that it comes to."""
    roles = {ran.step: ran.role for ran in steps if ran.role is not None}
    is_asked = records["task"].notna() & records["step"].isin(list(roles))
    rows = records[is_asked & ~records["repeat"].fillna(value=False).astype(bool)]
    data = columns(rows, from_schedule=scenario.load.is_open)
    counts = (data.prompt_tokens, data.cached_tokens, data.output_tokens)
    return pd.DataFrame({
        "request_id": rows["request_id"].to_numpy(dtype=object),
        "task": rows["task"].to_numpy(dtype=object),
        "attempt": rows["attempt"].to_numpy(dtype=int),
        "step": rows["step"].to_numpy(dtype=int),
        "role": np.array([roles[step] for step in rows["step"]], dtype=object),
        "summary": rows["summary"].fillna(value=False).astype(bool).to_numpy(),
        "spent_s": _spent_s(data, scenario.request.timeout_s),
        **{name: np.where(np.isnan(n) & ~data.ok, 0.0, n) for name, n in zip(_TOKENS, counts, strict=True)},
    })  # fmt: skip


def _spent_s(data: Columns, timeout_s: float) -> Floats:
    """From begin to end; what failed at once took no time, what was cut is unknown."""
    failed_s = np.where(data.timed_out, timeout_s, 0.0)
    return np.where(np.isnan(data.e2e_s) & data.failed, failed_s, data.e2e_s)


def _attempts(requests: pd.DataFrame, verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """One row a try: `solved`, `judged`, `repaired`, `why`, and the sums over its requests (NaN: one is unknown)."""
    said = {one.request_id: one for one in verdicts}
    tries = requests[requests["role"] != _NO_TRY]
    found = [said.get(request_id) for request_id in tries["request_id"]]
    tries = tries.assign(
        solved=[one is not None and one.task_success is True for one in found],
        judged=[one is not None and one.task_success is not None for one in found],
        repaired=[one is not None and one.judge.endswith("repaired") for one in found],
        why=["" if one is None else one.why for one in found],
    )
    tried = tries.groupby(["task", "attempt", "role", "step"], sort=False)
    sums = tried[[*_SUMMED]].sum().where(tried[[*_SUMMED]].count().eq(tried.size(), axis=0))
    return sums.join(tried[["solved", "judged", "repaired"]].any()).join(tried["why"].max()).reset_index()


def _outcome(attempts: pd.DataFrame) -> dict[str, bool | None]:
    tasks = attempts.groupby("task", sort=False)
    solved, judged = tasks["solved"].any(), tasks["judged"].all()
    return {
        str(task): True if is_solved else False if is_judged else None
        for task, is_solved, is_judged in zip(solved.index, solved, judged, strict=True)
    }


def _share(good: int, n: int) -> ShareOf:
    found = wilson(good, n)
    return ShareOf() if found is None else ShareOf(rate=found.value, low=found.low, high=found.high)


def _sum(values: pd.Series) -> float | None:
    """None where one of them is unknown: a partial sum is no bill."""
    return None if values.isna().any() else float(values.sum())


def _tokens(attempts: pd.DataFrame, n: int, suffix: str) -> dict[str, Any]:
    """Tokens of each kind over `n` tasks, by the keys of metrics.json."""
    sums = {name: _sum(attempts[name]) for name in _TOKENS}
    return {f"{name}{suffix}": None if total is None or not n else total / n for name, total in sums.items()}


def _failed(own: pd.DataFrame, outcome: Outcomes) -> FailedAttempts:
    failed = own[own["judged"] & ~own["solved"]]
    reasons = failed["why"].map(_reason).value_counts()
    return FailedAttempts(
        attempts=len(failed),
        input_tokens=_sum(failed["input"]),
        output_tokens=_sum(failed["output"]),
        never_solved=sum(not outcome[task] for task in failed["task"]),
        reasons={str(why): int(count) for why, count in reasons.head(_MOST_REASONS).items()},
    )


def _reason(why: str) -> str:
    """What failures of a kind have in common: the words before the detail."""
    return why.split(":", 1)[0].strip()[:_LONGEST_REASON] or "no reason given"


def _latencies_s(attempts: pd.DataFrame) -> Floats:
    """Seconds of each task; NaN where one of its requests was cut."""
    spent = attempts.groupby("task", sort=False)["spent_s"].agg(["sum", "size", "count"])
    return spent["sum"].where(spent["size"] == spent["count"]).to_numpy(dtype=float)


def _round(attempts: pd.DataFrame, ran: RanStep) -> RoundOfTasks:
    tries = attempts[attempts["step"] == ran.step]
    return RoundOfTasks(
        round=ran.round or 1,
        step=ran.step,
        role=ran.role or "attempts",
        asked=len(tries),
        solved=int(tries["solved"].sum()),
        not_judged=int((~tries["judged"]).sum()),
        not_asked=ran.not_asked,
    )


def _escalated(escalated: pd.DataFrame, prompts: TaskPrompts) -> Escalated:
    tasks = escalated["task"].nunique()
    return Escalated(
        tasks=tasks,
        solved=int(escalated.groupby("task")["solved"].any().sum()),
        attempts=len(escalated),
        **_tokens(escalated, tasks, "_tokens_per_task"),
        api=None if prompts.escalate is None else prompts.escalate.api,
    )


def _judging(requests: pd.DataFrame, prompts: TaskPrompts) -> Judging | None:
    if requests.empty:
        return None
    return Judging(
        requests=len(requests),
        input_tokens=_sum(requests["input"]),
        output_tokens=_sum(requests["output"]),
        api=None if prompts.judge is None else prompts.judge.api,
    )
