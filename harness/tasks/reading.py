"""The tasks of a scenario, with checkers that are known to work before anything is sent."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import UsageError
from harness.scenario import task_file
from harness.scenario.checkers import JsonSchemaChecker
from harness.scenario.task_file import Task
from harness.scenario.tasks import TaskPrompts
from harness.tasks.apart import Item, judged_apart
from harness.tasks.checks import APART, Given, Unusable, ready_check


def read_tasks(spec: TaskPrompts, base_dir: Path, *, with_functions: bool = False) -> tuple[Task, ...]:
    """All tasks of the scenario's file, in its order; `with_functions`: those beside the scenario may be called.

    Raises:
        UsageError: a file or a task that cannot be used, a checker that cannot judge: a schema that is none, a function
            that cannot be imported, an `expected` that no answer could be; names the task.
    """
    tasks = task_file.read_tasks(spec, base_dir, with_functions=with_functions)
    path = task_file.task_path(spec, base_dir)
    _check_installed(spec, tasks)
    for task in tasks:
        if task.checker.kind not in (*APART, "judge"):
            try:
                ready_check(task.checker)(Given("", task.expected))
            except Unusable as problem:
                raise _cannot_judge(path, task, str(problem)) from None
    _try_apart(path, tasks, base_dir if with_functions else None)
    return tasks


def _check_installed(spec: TaskPrompts, tasks: Sequence[Task]) -> None:
    needs = {"json_repair": "`repair`"} if "repair" in spec.on_failure else {}
    if any(isinstance(task.checker, JsonSchemaChecker) for task in tasks):
        needs["jsonschema"] = "a checker of kind json_schema"
    for module, what in needs.items():
        if importlib.util.find_spec(module) is None:
            raise UsageError(f"{what} needs the package {module}", hint="pip install 'breakeven[tasks]'")


def _try_apart(path: Path, tasks: Sequence[Task], functions_from: Path | None) -> None:
    """Each checker made ready once; and with a schema, whether what is expected would solve its own task."""
    tried: dict[str, tuple[Task, Item]] = {}
    for task in tasks:
        if task.checker.kind not in APART:
            continue
        if isinstance(task.checker, JsonSchemaChecker) and task.expected is not None:
            tried[f"task {task.id}"] = task, Item(task.checker, Given(json.dumps(task.expected), task.expected))
        else:
            tried.setdefault(f"checker {task.checker.model_dump_json()}", (task, Item(task.checker)))
    outcomes = judged_apart([item for _, item in tried.values()], functions_from)
    for (task, item), outcome in zip(tried.values(), outcomes, strict=True):
        if outcome.success is None:
            raise _cannot_judge(path, task, outcome.why)
        if not outcome.success and item.given is not None:
            raise _cannot_judge(path, task, f"its own `expected` {outcome.why}: no answer could solve it")


def _cannot_judge(path: Path, task: Task, problem: str) -> UsageError:
    return UsageError(f"{path}: task {task.id}: `checker` {task.checker.kind}: {problem}")
