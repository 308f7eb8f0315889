"""The tasks of a file, or of a set that ships: each with an id, what is asked, and what the answer is held to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from harness.base.errors import UsageError
from harness.base.yamlfile import read_yaml, validate
from harness.scenario import bundled_scenarios_dir
from harness.scenario.checkers import NEEDS_EXPECTED, OF_JSON, Checker, FunctionChecker, JsonSchemaChecker
from harness.scenario.prompt_rows import TASK_HINT, raw_rows, shown
from harness.scenario.strict import MOST_TOKENS, Strict
from harness.scenario.tasks import TaskPrompts
from harness.scenario.turns import Message

LONGEST_TEXT = 2**22  # characters of one prompt
LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Task:
    """One task, ready to be asked and judged."""

    id: str
    messages: tuple[Message, ...]
    turns: tuple[str, ...]  # said after each real reply, in order
    checker: Checker
    expected: Any  # None: nothing is said of it
    output_tokens: int
    group: str | None = None


def tasks_digest(tasks: Sequence[Task]) -> str:
    """Names what is asked and what answers are held to, in whatever order the file has them."""
    plain = [[one.id, one.messages, one.turns, one.checker.model_dump(mode="json"), one.expected, one.output_tokens]
             for one in sorted(tasks, key=lambda task: task.id)]  # fmt: skip
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


class _Said(Strict):
    model_config = ConfigDict(str_max_length=LONGEST_TEXT)

    role: str = Field(min_length=1)
    content: str


class _Row(Strict):
    """A task as its file says it."""

    model_config = ConfigDict(str_max_length=LONGEST_TEXT)

    id: str = Field(min_length=1, max_length=LONGEST_ID)
    prompt: str | None = Field(default=None, min_length=1)
    messages: tuple[_Said, ...] | None = Field(default=None, min_length=1)
    turns: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(default=None, min_length=1)
    checker: Checker | None = None
    expected: Any = None
    output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] | None = None
    group: str | None = Field(default=None, min_length=1, max_length=LONGEST_ID)

    @field_validator("id", mode="before")
    @classmethod
    def _a_number_names_too(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _asks_in_one_way(self) -> _Row:
        asked = [name for name in ("prompt", "messages", "turns") if getattr(self, name) is not None]
        if not asked:
            raise ValueError("a task needs one of `prompt`, `messages` and `turns`")
        if len(asked) > 1 and asked != ["messages", "turns"]:
            raise ValueError(f"`{asked[0]}` and `{asked[1]}`: a task is asked in one way")
        if self.messages is not None and self.turns is None and self.messages[-1].role != "user":
            raise ValueError("`messages` must end with a message of role user, or have `turns` behind them")
        return self


def read_tasks(spec: TaskPrompts, base_dir: Path, *, with_functions: bool = False) -> tuple[Task, ...]:
    """All tasks of the scenario's file in its order.

    Args:
        spec: the scenario's prompts.
        base_dir: where the file's path starts.
        with_functions: whether functions that the file names may be called: only where the user named the scenario's
            file on the command line.

    Raises:
        UsageError: a file or a task that cannot be used; names the row.
    """
    path = task_path(spec, base_dir)
    tasks: dict[str, Task] = {}
    lines: dict[str, str] = {}
    for where, cells in _rows(path):
        task = _task(spec, where, validate(_Row, cells, where=where, hint=None if cells else TASK_HINT))
        if task.id in tasks:
            raise UsageError(
                f"{where}: the id {shown(task.id)} was there before, at {lines[task.id]}",
                hint="each task has an id of its own",
            )
        if isinstance(task.checker, FunctionChecker) and not with_functions:
            raise UsageError(
                f"{where}: the function {task.checker.function} is not called: the scenario's file was not named on the"
                " command line",
                hint="a function of a run directory or of another's scenario could be anything; name the file yourself",
            )
        tasks[task.id], lines[task.id] = task, where
    if not tasks:
        raise UsageError(f"{path} holds no task", hint=TASK_HINT)
    _check_policy(spec, path, tuple(tasks.values()))
    return tuple(tasks.values())


def task_path(spec: TaskPrompts, base_dir: Path) -> Path:
    """Where the tasks lie: a set that ships by its bare name, else relative to the scenario."""
    path = Path(spec.file)
    if path.suffix or "/" in spec.file:
        return base_dir / path
    folder = bundled_scenarios_dir() / "tasks"
    bundled = folder / f"{spec.file}.jsonl"
    if bundled.is_file():
        return bundled
    known = ", ".join(sorted(p.stem for p in folder.glob("*.jsonl")))
    raise UsageError(
        f"`prompts.file`: no set of tasks `{spec.file}` ships", hint=f"these do: {known}; or name a .jsonl"
    )


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of each task."""
    if path.suffix == ".jsonl":
        for row in raw_rows(path, "tasks"):
            yield f"{path}:{row.line}", dict(row.cells)
        return
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"`prompts.file`: {path} is neither .jsonl nor .yaml")
    data = read_yaml(path, what="task")
    tasks = data.get("tasks")
    if set(data) != {"tasks"} or not isinstance(tasks, list):
        raise UsageError(f"{path}: expected `tasks:` and a list under it", hint="- {id: t1, prompt: ..., ...}")
    for number, cells in enumerate(tasks, start=1):
        where = f"{path}: tasks[{number - 1}]"
        if not isinstance(cells, dict):
            raise UsageError(f"{where}: expected a mapping, got {shown(cells)}", hint=TASK_HINT)
        yield where, cells


def _task(spec: TaskPrompts, where: str, row: _Row) -> Task:
    checker = row.checker or spec.checker
    if checker is None:
        raise UsageError(
            f"{where}: the task {shown(row.id)} has no `checker`, and `prompts.checker` gives none for all",
            hint='{"kind": "exact"}, or any other of docs/tasks.md',
        )
    if isinstance(checker, NEEDS_EXPECTED) and not _can_be_compared(row.expected, checker.kind):
        raise UsageError(
            f"{where}: a checker of kind {checker.kind} needs `expected`, got {shown(row.expected)}",
            hint="a number" if checker.kind == "number" else "a text, or a list of texts of which one will do",
        )
    if checker.kind == "judge" and spec.judge is None:
        raise UsageError(
            f"{where}: a checker of kind judge, and nobody who judges",
            hint="`judge: {url: ..., model: ...}` in the scenario's `prompts`",
        )
    messages, turns = _said(row)
    return Task(row.id, messages, turns, checker, row.expected, row.output_tokens or spec.output_tokens, row.group)


def _can_be_compared(expected: Any, kind: str) -> bool:
    if isinstance(expected, list) and kind != "number":
        return bool(expected) and all(isinstance(one, str) for one in expected)
    return isinstance(expected, str | int | float) and not isinstance(expected, bool)


def _said(row: _Row) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """What is said at first, up to the user's word, and the user's further turns."""
    messages: tuple[Message, ...] = tuple(said.model_dump() for said in row.messages or ())
    turns = row.turns or ((row.prompt,) if row.prompt is not None else ())
    if messages and messages[-1]["role"] == "user":
        return messages, turns
    return (*messages, {"role": "user", "content": turns[0]}), turns[1:]


def _check_policy(spec: TaskPrompts, path: Path, tasks: tuple[Task, ...]) -> None:
    if "repair" in spec.on_failure and not any(isinstance(task.checker, OF_JSON) for task in tasks):
        raise UsageError(
            f"{path}: on_failure has `repair`, which mends JSON, and no task asks for JSON",
            hint="leave it out, or use a checker of kind json or json_schema",
        )
    if spec.context != "all" and not any(task.turns for task in tasks):
        raise UsageError(
            f"{path}: `prompts.context` says what of earlier turns is sent, and no task has any",
            hint="leave it out, or use tasks with `turns`",
        )
    if spec.constrained == "json_schema":
        free = next((task for task in tasks if not isinstance(task.checker, JsonSchemaChecker)), None)
        if free is not None:
            raise UsageError(
                f"{path}: `constrained: json_schema` needs a schema for every task, and {shown(free.id)} has a checker "
                f"of kind {free.checker.kind}"
            )
