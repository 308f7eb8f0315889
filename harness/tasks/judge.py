"""Whether each answer solved its task. What cannot be judged is said to be so: never a silent success or failure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.rundir.judged import Verdict
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.tasks.answered import Answered
from harness.tasks.by_model import waits_for_model
from harness.tasks.check_json import read_json


def judge(spec: TaskPrompts, tasks: Sequence[Task], answers: Sequence[Answered]) -> list[Verdict]:
    """A verdict for each answer, in order; none for those that wait for a judging model (`judge_asks`)."""
    by_id = {task.id: task for task in tasks}
    return [_verdict(spec, by_id[one.task], one) for one in answers if not waits_for_model(by_id[one.task], one)]


def _verdict(spec: TaskPrompts, task: Task, answer: Answered) -> Verdict:  # noqa: ARG001
    success, why = _judged(task, answer)
    return Verdict(answer.request_id, answer.task, answer.attempt, success, why, task.checker.kind)


def _judged(task: Task, answer: Answered) -> tuple[bool | None, str]:
    if answer.has_failed:
        return False, f"the request failed: {answer.error}"
    if answer.error is not None or answer.text is None:
        return None, f"no answer: {answer.error or 'its text was not kept'}"
    if task.checker.kind == "exact":
        same = answer.text.strip() == str(task.expected).strip()
        return same, "" if same else "it is not the expected answer"
    value, why = read_json(answer.text)
    return value is not None, why
