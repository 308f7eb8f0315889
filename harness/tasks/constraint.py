"""Whether a server that was told to answer in one form alone did: some take the key and ignore it."""

from collections.abc import Sequence

from harness.scenario.checkers import JsonSchemaChecker
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.tasks.answered import Answered
from harness.tasks.checks import Given, ready_check


def outside_the_schema(spec: TaskPrompts, tasks: Sequence[Task], answers: Sequence[Answered]) -> tuple[int, int]:
    """(answers that do not fit their task's schema, answers) of those that were constrained to it and came whole."""
    if spec.constrained != "json_schema":
        return 0, 0
    by_id = {task.id: task.checker for task in tasks}
    whole = [
        (checker, one.text)
        for one in answers
        if one.error is None and not one.is_cut and one.text is not None
        if isinstance(checker := by_id[one.task], JsonSchemaChecker)
    ]
    return sum(not ready_check(checker)(Given(text)).success for checker, text in whole), len(whole)
