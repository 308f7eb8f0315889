"""Whether each answer solved its task. What cannot be judged is said to be so: never a silent success or failure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.rundir.judged import Verdict
from harness.scenario.checkers import OF_JSON
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.tasks.answered import Answered
from harness.tasks.apart import Item, judged_apart
from harness.tasks.by_model import waits_for_model
from harness.tasks.checks import APART, Given, Outcome, Unusable, ready_check
from harness.tasks.checks.function import said

REPAIRED = ", repaired"
WAS_CUT = "; it was cut at its most tokens"


def judge(
    spec: TaskPrompts, tasks: Sequence[Task], answers: Sequence[Answered], *, functions_from: Path | None = None
) -> list[Verdict]:
    """A verdict for each answer, in order; none for those that wait for a judging model (`judge_asks`).

    `functions_from`: the folder of the scenario that the user named on the command line; None: no function is called,
    and what one would have judged is not judged.
    """
    by_id = {task.id: task for task in tasks}
    own = [one for one in answers if not waits_for_model(by_id[one.task], one)]
    judged = _all([(by_id[one.task], one) for one in own], functions_from)
    verdicts = [_verdict(by_id[one.task], one, outcome) for one, outcome in zip(own, judged, strict=True)]
    for place, outcome in _repaired(spec, by_id, own, judged):
        if outcome.success:
            verdicts[place] = _verdict(by_id[own[place].task], own[place], outcome, REPAIRED)
    return verdicts


def _verdict(task: Task, answer: Answered, outcome: Outcome, how: str = "") -> Verdict:
    why = f"{outcome.why}{WAS_CUT}" if outcome.success is False and answer.is_cut else outcome.why
    return Verdict(answer.request_id, answer.task, answer.attempt, outcome.success, why, f"{task.checker.kind}{how}")


def _all(pairs: Sequence[tuple[Task, Answered]], functions_from: Path | None) -> list[Outcome]:
    early = [_without_checker(task, answer, functions_from) for task, answer in pairs]
    apart = [
        (place, Item(task.checker, _given(task, answer)))
        for place, (task, answer) in enumerate(pairs)
        if early[place] is None and task.checker.kind in APART
    ]
    said = dict(zip((place for place, _ in apart), judged_apart([i for _, i in apart], functions_from), strict=True))
    return [
        outcome or said.get(place) or _here(*pair)
        for place, (pair, outcome) in enumerate(zip(pairs, early, strict=True))
    ]


def _without_checker(task: Task, answer: Answered, functions_from: Path | None) -> Outcome | None:
    """What is known before a checker looks at it."""
    if answer.has_failed:
        return Outcome(False, f"the request failed: {answer.error}")
    if answer.error is not None:
        return Outcome(None, f"there is no whole answer: {answer.error}")
    if answer.text is None:
        return Outcome(None, "the text was not kept")
    if task.checker.kind == "function" and functions_from is None:
        return Outcome(None, "functions are only called where the scenario's file is named on the command line")
    return None


def _here(task: Task, answer: Answered) -> Outcome:
    try:
        return ready_check(task.checker)(_given(task, answer))
    except Unusable as problem:
        return Outcome(None, str(problem))
    except Exception as error:
        return Outcome(None, f"the checker raised {said(error)}")


def _given(task: Task, answer: Answered) -> Given:
    assert answer.text is not None
    shown: dict[str, Any] = {}
    if task.checker.kind == "function":
        shown = {
            "id": task.id, "messages": list(task.messages), "turns": list(task.turns), "expected": task.expected,
            "group": task.group,
        }  # fmt: skip
    return Given(answer.text, task.expected, answer.is_cut, shown)


def _repaired(
    spec: TaskPrompts, by_id: dict[str, Task], answers: Sequence[Answered], outcomes: Sequence[Outcome]
) -> list[tuple[int, Outcome]]:
    """(place, outcome) of the failed answers that the policy has repaired before anything else."""
    again = [
        (place, Item(by_id[one.task].checker, _given(by_id[one.task], one), repair=True))
        for place, (one, outcome) in enumerate(zip(answers, outcomes, strict=True))
        if outcome.success is False
        and not one.has_failed
        and spec.is_repaired(one.attempt)
        and isinstance(by_id[one.task].checker, OF_JSON)
    ]
    return list(zip((place for place, _ in again), judged_apart([item for _, item in again], None), strict=True))
