"""Checkers are tried before anything is sent, and the sets that ship can be solved."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from task_cases import answered, spec_of

from benchmarks.make_tasks import SETS, lines_of
from harness.base.errors import UsageError
from harness.scenario import TaskPrompts, bundled_scenarios_dir, find_scenario, load_scenario
from harness.tasks import Task, judge, read_tasks

SHIPPED = sorted(path.stem for path in bundled_scenarios_dir().glob("tasks-*.yaml"))


def read(place: Path, *tasks: dict[str, Any], with_functions: bool = False, **keys: Any) -> tuple[Task, ...]:
    lines = [json.dumps({"id": f"t{number}", "prompt": "x", **task}) for number, task in enumerate(tasks)]
    (place / "t.jsonl").write_text("\n".join(lines))
    return read_tasks(spec_of(**keys), place, with_functions=with_functions)


def schema(value: Any) -> dict[str, Any]:
    return {"kind": "json_schema", "schema": value}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"checker": schema({"type": "strng"})}, "not a JSON Schema: $.type"),
    ({"checker": schema({"required": "n"})}, "not a JSON Schema: $.required: 'n' is not of type 'array'"),
    ({"checker": schema({"pattern": "(a"})}, "not a JSON Schema: $.pattern"),
    ({"checker": schema({"$ref": "#/$defs/gone"})}, "`$ref` #/$defs/gone leads nowhere in the schema itself"),
    ({"checker": schema({"items": {"$ref": "https://example.org/s.json"}})}, "leads nowhere in the schema itself"),
    ({"checker": schema({"$ref": "other.json"})}, "`$ref` other.json leads nowhere"),
    ({"checker": schema({"type": "object"}), "expected": [1]}, "its own `expected` does not fit the schema at $"),
    ({"checker": schema(False), "expected": 1}, "no answer could solve it"),
    ({"checker": {"kind": "number"}, "expected": "twelve"}, "`expected` must be a number, got 'twelve'"),
    ({"checker": {"kind": "normalised"}, "expected": "..."}, "nothing of `expected` is left"),
    ({"checker": {"kind": "function", "function": "no_such_module_here:x"}}, "cannot be imported: ModuleNotFoundError"),
    ({"checker": {"kind": "function", "function": "os:no_such"}}, "the module os has no no_such"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_checker_that_cannot_judge_is_named_with_its_task(tmp_path: Path, task: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, {"checker": {"kind": "json"}}, task, with_functions=True)

    assert said in str(refused.value)
    assert f"t.jsonl: task t1: `checker` {task['checker']['kind']}: " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_module_beside_the_scenario_is_found_and_one_that_ends_the_process_is_named(tmp_path: Path) -> None:
    (tmp_path / "fine_to_import.py").write_text("def check(answer, task):\n    return True\n")
    (tmp_path / "ends_everything.py").write_text("import os\nos._exit(3)\n")

    assert read(tmp_path, {"checker": {"kind": "function", "function": "fine_to_import:check"}}, with_functions=True)
    with pytest.raises(UsageError, match=r"ended its process \(exit 3\)"):
        read(tmp_path, {"checker": {"kind": "function", "function": "ends_everything:check"}}, with_functions=True)


@pytest.mark.parametrize("name", sorted(SETS))
def test_a_set_that_ships_is_what_its_generator_makes(name: str) -> None:
    shipped = (bundled_scenarios_dir() / "tasks" / f"{name}.jsonl").read_text()

    assert shipped == lines_of(name)
    assert len(shipped.splitlines()) >= 60


def right_answer(task: Task) -> str:
    if task.checker.kind == "regex":
        return re.sub(r"\\b", "", task.checker.pattern)
    return task.expected if isinstance(task.expected, str) else json.dumps(task.expected)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_task_that_ships_is_solved_by_its_right_answer_and_by_no_other(name: str) -> None:
    path = find_scenario(name)
    spec = load_scenario(path).prompts
    assert isinstance(spec, TaskPrompts)
    tasks = read_tasks(spec, path.parent)

    right = judge(spec, tasks, [answered(right_answer(task), task.id) for task in tasks])
    wrong = judge(spec, tasks, [answered("I do not know.", task.id) for task in tasks])

    assert {one.task_success for one in right} == {True}
    assert {one.task_success for one in wrong} == {False}
    assert len(SHIPPED) == 4
