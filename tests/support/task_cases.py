"""Tasks and answers as tests write them."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from harness.scenario import TaskPrompts
from harness.scenario.checkers import Checker
from harness.scenario.task_file import Task
from harness.tasks import Answered, judge
from harness.tasks.checks import Given, Outcome, ready_check

ANY: TypeAdapter[Checker] = TypeAdapter(Checker)


def spec_of(**keys: Any) -> TaskPrompts:
    return TaskPrompts.model_validate({"kind": "tasks", "file": "t.jsonl", **keys})


def task_of(name: str = "t", checker: Any = None, expected: Any = None, turns: Sequence[str] = ()) -> Task:
    said = ({"role": "user", "content": f"ask {name}"},)
    return Task(name, said, tuple(turns), ANY.validate_python(checker or {"kind": "json"}), expected, 100)


def answered(
    text: str | None, task: str = "t", attempt: int = 1, error: str | None = None, finish_reason: str | None = "stop"
) -> Answered:
    return Answered(f"{task}-{attempt}", task, attempt, text, error, finish_reason)


def checked(checker: dict[str, Any], text: str, expected: Any = None, *, is_cut: bool = False) -> Outcome:
    """What a checker says of one text, in this process."""
    return ready_check(ANY.validate_python(checker))(Given(text, expected, is_cut))


def judged(checker: dict[str, Any], *texts: str, **more: Any) -> list[bool | None]:
    """Whether each text solves its task, as a run judges."""
    tasks = [task_of(f"t{number}", checker) for number in range(len(texts))]
    answers = [answered(text, f"t{number}") for number, text in enumerate(texts)]
    return [one.task_success for one in judge(spec_of(), tasks, answers, **more)]
