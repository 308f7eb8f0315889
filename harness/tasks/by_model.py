"""A model judges: what it is asked, and how its answer is read. What it does not clearly say is not judged."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from harness.base.text import printable
from harness.rundir.judged import Verdict
from harness.scenario.asks import TaskAsk
from harness.scenario.checkers import JudgeChecker
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.scenario.turns import text_of
from harness.tasks.answered import Answered, sendable

JUDGE = "judge"
_PLACE = re.compile(r"\{(task|expected|answer)\}")
_VERDICT = re.compile(r"^[\s*_#>`]*VERDICT[\s*_`]*:[\s*_`]*(PASS|FAIL)[\s*_`.!]*$", re.IGNORECASE | re.MULTILINE)
_WHY_CHARS = 200


def judge_asks(spec: TaskPrompts, tasks: Sequence[Task], answers: Sequence[Answered]) -> tuple[TaskAsk, ...]:
    """What the judging model is asked: one question for each answer that has to be judged by it; () for none."""
    by_id = {task.id: task for task in tasks}
    return tuple(
        TaskAsk(one.task, one.attempt, _question(spec, by_id[one.task], one.text), spec.judge.output_tokens)
        for one in answers
        if spec.judge is not None and waits_for_model(by_id[one.task], one) and one.text is not None
    )


def waits_for_model(task: Task, answer: Answered) -> bool:
    """Whether this answer is to be judged by the model."""
    return isinstance(task.checker, JudgeChecker) and answer.error is None and answer.text is not None


def _question(spec: TaskPrompts, task: Task, answer: str) -> tuple[dict[str, str], ...]:
    assert spec.judge is not None
    expected = task.expected
    values = {
        "task": "\n\n".join([*(text_of(message) for message in task.messages), *task.turns]),
        "expected": "" if expected is None else expected if isinstance(expected, str) else json.dumps(expected),
        "answer": answer,
    }
    content = _PLACE.sub(lambda found: values[found[1]], spec.judge.prompt)
    return ({"role": "user", "content": sendable(content)},)


def read_judgement(answers: Sequence[Answered], judgements: Sequence[Answered]) -> list[Verdict]:
    """The verdicts on those answers that the model was asked about; `judgements` carry their task and attempt."""
    asked_of = {(one.task, one.attempt): one for one in answers}
    return [_verdict(asked_of[one.task, one.attempt], one) for one in judgements]


def _verdict(answer: Answered, judgement: Answered) -> Verdict:
    success, why = _read(judgement)
    return Verdict(answer.request_id, answer.task, answer.attempt, success, why, JUDGE)


def _read(judgement: Answered) -> tuple[bool | None, str]:
    if judgement.error is not None or judgement.text is None:
        return None, f"the judge did not answer: {judgement.error or 'no text'}"
    said = {found[1].upper() for found in _VERDICT.finditer(judgement.text)}
    if len(said) == 1:
        passed = said == {"PASS"}
        return passed, "" if passed else f"the judge: {printable(_VERDICT.sub('', judgement.text).strip(), _WHY_CHARS)}"
    problem = "said both PASS and FAIL" if said else "gave no verdict"
    return None, f"the judge {problem}: {printable(judgement.text.strip(), _WHY_CHARS)}"
