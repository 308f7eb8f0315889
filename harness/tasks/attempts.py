"""What each round asks: every task once, then those that were not solved, as the policy says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.rundir.judged import Verdict
from harness.scenario.asks import TaskAsk
from harness.scenario.checkers import JsonSchemaChecker, JudgeChecker
from harness.scenario.context import kept_of
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.scenario.turns import Message
from harness.tasks.answered import Answered, sendable

Role = Literal["attempts", "escalation"]
NOT_ACCEPTED = "That answer was not accepted: {why}\nAnswer again, with the answer alone."


@dataclass(frozen=True, slots=True)
class NextRound:
    """A round to come: all of it goes to one endpoint."""

    role: Role
    asks: tuple[TaskAsk, ...]


def first_asks(spec: TaskPrompts, tasks: Sequence[Task], seed: int) -> tuple[TaskAsk, ...]:
    """Every task once, or the sample of them, in an order that the seed gives."""
    order = list(tasks)
    random.Random(f"{seed}/tasks").shuffle(order)
    return tuple(_ask(spec, task, 1, task.messages, task.turns) for task in order[: spec.max_tasks])


def next_asks(
    spec: TaskPrompts, tasks: Sequence[Task], verdicts: Sequence[Verdict], answers: Sequence[Answered]
) -> NextRound | None:
    """The tasks whose last attempt failed, asked again; None: nobody is left, or the policy has ended.

    What was not judged is not asked again: nobody knows that it failed. `verdicts` and `answers` are those of all
    rounds so far.
    """
    attempt = max((one.attempt for one in verdicts), default=0) + 1
    action = spec.action_before(attempt)
    if action is None:
        return None
    by_id = {task.id: task for task in tasks}
    verdict_of = {(one.task, one.attempt): one for one in verdicts}
    answer_of = {(one.task, one.attempt): one for one in answers}
    failed = [one.task for one in verdicts if one.attempt == attempt - 1 and one.task_success is False]
    asks = tuple(
        _ask(spec, by_id[name], attempt, *_said(spec, by_id[name], attempt, verdict_of, answer_of)) for name in failed
    )
    if not asks:
        return None
    return NextRound("escalation" if action == "escalate" else "attempts", asks)


_Said = tuple[tuple[Message, ...], tuple[str, ...]]


def _said(
    spec: TaskPrompts,
    task: Task,
    attempt: int,
    verdict_of: dict[tuple[str, int], Verdict],
    answer_of: dict[tuple[str, int], Answered],
) -> _Said:
    """What attempt k says: `with_error` goes on from the attempt before, all others begin anew."""
    if spec.action_before(attempt) != "with_error":
        return task.messages, task.turns
    messages, turns = _said(spec, task, attempt - 1, verdict_of, answer_of)
    answer, verdict = answer_of.get((task.id, attempt - 1)), verdict_of[task.id, attempt - 1]
    if answer is None or answer.error is not None or not answer.text:
        return messages, turns  # nothing was said that could be wrong
    complaint = NOT_ACCEPTED.format(why=_told(task, verdict))
    if turns:  # the real replies are asked for again
        return messages, (*turns, complaint)
    return (
        *messages, {"role": "assistant", "content": sendable(answer.text)}, {"role": "user", "content": complaint}
    ), ()  # fmt: skip


def _told(task: Task, verdict: Verdict) -> str:
    """Why, without what a judging model may have said of the answer that it was shown."""
    is_by_model = isinstance(task.checker, JudgeChecker)
    return "it is not right" if is_by_model and task.expected is not None else verdict.why


def _ask(spec: TaskPrompts, task: Task, attempt: int, messages: tuple[Message, ...], turns: tuple[str, ...]) -> TaskAsk:
    kept = kept_of(spec.context) if turns else None
    complaints = len(turns) - len(task.turns) if turns else 0
    wants_schema = spec.constrained == "json_schema" and isinstance(task.checker, JsonSchemaChecker)
    schema = task.checker.schema_ if wants_schema and isinstance(task.checker, JsonSchemaChecker) else None
    return TaskAsk(task.id, attempt, messages, task.output_tokens, turns, complaints, schema, spec.grammar, kept)
