"""Files of tasks: what is read out of them, and what is refused, with its place."""

import json
from pathlib import Path
from typing import Any

import pytest
from task_cases import spec_of

from harness.base.errors import UsageError
from harness.scenario.task_file import Task, read_tasks

GOOD = {"id": "a", "prompt": "hello", "checker": {"kind": "json"}}


def read(place: Path, content: str | bytes, name: str = "t.jsonl", **keys: Any) -> tuple[Task, ...]:
    (place / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_tasks(spec_of(file=name, **keys), place)


def line(**keys: Any) -> str:
    return json.dumps({**GOOD, **keys})


def test_lines_blank_lines_a_byte_order_mark_and_the_other_line_ends_are_read(tmp_path: Path) -> None:
    second = json.dumps({**GOOD, "id": "b", "prompt": "ü\u2028漢"}, ensure_ascii=False)

    tasks = read(tmp_path, b"\xef\xbb\xbf" + f"{line()}\r\n\r\n{second}\n".encode())

    assert [(task.id, task.messages[0]["content"]) for task in tasks] == [("a", "hello"), ("b", "ü\u2028漢")]


def test_yaml_says_the_same(tmp_path: Path) -> None:
    (task,) = read(tmp_path, "tasks:\n- {id: 7, prompt: hello, checker: {kind: exact}, expected: 5}\n", "t.yaml")

    assert (task.id, task.checker.kind, task.expected, task.output_tokens) == ("7", "exact", 5, 256)


def test_a_task_says_its_own_checker_and_length_else_the_scenarios_hold(tmp_path: Path) -> None:
    own, usual = read(
        tmp_path,
        line(output_tokens=9) + "\n" + json.dumps({"id": "b", "prompt": "x"}),
        checker={"kind": "regex", "pattern": "x"},
        output_tokens=50,
    )

    assert (own.checker.kind, own.output_tokens) == ("json", 9)
    assert (usual.checker.kind, usual.output_tokens) == ("regex", 50)


SYSTEM, USER, REPLY = ({"role": role, "content": role} for role in ("system", "user", "assistant"))


@pytest.mark.parametrize(
    ("asked", "roles", "turns"),
    [
        ({"prompt": "p"}, ["user"], ()),
        ({"turns": ["p", "q", "r"]}, ["user"], ("q", "r")),
        ({"messages": [SYSTEM, USER]}, ["system", "user"], ()),
        ({"messages": [SYSTEM], "turns": ["p", "q"]}, ["system", "user"], ("q",)),
        ({"messages": [USER, REPLY], "turns": ["p"]}, ["user", "assistant", "user"], ()),
        ({"messages": [SYSTEM, USER], "turns": ["q"]}, ["system", "user"], ("q",)),
    ],
)
def test_what_is_said_first_ends_with_the_user_and_the_rest_follows_the_real_replies(
    tmp_path: Path, asked: dict[str, Any], roles: list[str], turns: tuple[str, ...]
) -> None:
    (task,) = read(tmp_path, json.dumps({"id": "a", "checker": {"kind": "json"}, **asked}))

    assert [message["role"] for message in task.messages] == roles
    assert task.turns == turns


@pytest.mark.parametrize(
    "asked", [{"prompt": "x" * 50_000}, {"turns": ["x" * 50_000]}, {"messages": [{**USER, "content": "x" * 50_000}]}]
)
def test_a_long_text_is_a_task_too(tmp_path: Path, asked: dict[str, Any]) -> None:
    (task,) = read(tmp_path, json.dumps({"id": "a", "checker": {"kind": "json"}, **asked}))

    assert len(task.messages[0]["content"]) == 50_000


NO_CHECKER = '{"id": "a", "prompt": "x"}'
REFUSED: list[tuple[str, str]] = [
    ("", "holds no task"),
    ("\n \n", "holds no task"),
    ("hello", "t.jsonl:1 (row 1): not JSON"),
    ("[1]", "t.jsonl:1 (row 1): a list, expected an object"),
    (f"{line()}\n{line()}", "t.jsonl:2: the id 'a' was there before, at"),
    (f"{line(id='7')}\n{line(id=7)}", "t.jsonl:2: the id '7' was there before, at"),
    ('{"prompt": "x"}', "t.jsonl:1: `id` is missing"),
    (line(id=""), "`id`"),
    (line(id=None), "`id`: must be a valid string, got None"),
    (line(id=True), "`id`: must not be true or false"),
    (line(id=1.5), "`id`: must be a valid string, got 1.5"),
    ('{"id": "a", "checker": {"kind": "json"}}', "needs one of `prompt`, `messages` and `turns`"),
    (line(turns=["x"]), "`prompt` and `turns`: a task is asked in one way"),
    (line(messages=[USER]), "`prompt` and `messages`: a task is asked in one way"),
    (line(prompt=5), "`prompt`: must be a valid string, got 5"),
    (line(prompt=""), "`prompt`"),
    (line(prompt=None, turns=[]), "`turns`"),
    (line(prompt=None, turns=["x", 5]), "`turns[1]`: must be a valid string, got 5"),
    (line(prompt=None, messages=[SYSTEM]), "must end with a message of role user"),
    (line(prompt=None, messages=[{"role": "user"}]), "`messages[0].content` is missing"),
    (line(expeted=5), "unknown key `expeted`"),
    (line(output_tokens=0), "`output_tokens`"),
    (line(output_tokens="9"), "`output_tokens`"),
    (line(prompt="\ud800"), "unable to parse raw data as a unicode string"),
    (line(id="\ud800"), "unable to parse raw data as a unicode string"),
    (line(checker={"kind": "exact"}), "a checker of kind exact needs `expected`, got None"),
    (line(checker={"kind": "exact"}, expected=True), "a checker of kind exact needs `expected`, got True"),
    (line(checker={"kind": "normalised"}, expected=["a", 5]), "a checker of kind normalised needs `expected`"),
    (line(checker={"kind": "number"}, expected=["5"]), "a checker of kind number needs `expected`"),
    (line(checker={"kind": "judge"}), "a checker of kind judge, and nobody who judges"),
    (line(checker={"kind": "nonsense"}), "`checker.kind` must be one of"),
    (line(checker={"kind": "function", "function": "os:getcwd"}), "the function os:getcwd is not called"),
    (NO_CHECKER, "the task 'a' has no `checker`"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_task_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, content)

    assert said in str(refused.value)
    assert "t.jsonl" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.yaml", "- {id: a}", "holds a list, expected a mapping of keys to values"),
        ("t.yaml", "tasks: 5", "expected `tasks:` and a list under it"),
        ("t.yaml", "tasks: [5]", "tasks[0]: expected a mapping, got 5"),
        ("t.yaml", "tasks: []", "holds no task"),
        ("t.yaml", "", "is empty"),
        ("t.csv", "id,prompt", "is neither .jsonl nor .yaml"),
        ("t.jsonl", b"\xff\xfe{", "not UTF-8 text"),
    ],
)
def test_a_file_of_another_shape_is_named(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(UsageError, match=r"t\.") as refused:
        read(tmp_path, content, name)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("gone.jsonl", "`prompts.file`: no such file"),
        ("gone.yaml", "no such task file"),
        ("sub/gone.jsonl", "`prompts.file`: no such file"),
        ("nonsense", "`prompts.file`: no set of tasks `nonsense` ships"),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, file: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_tasks(spec_of(file=file), tmp_path)

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"on_failure": ["repair"]}, "`repair`, which mends JSON, and no task asks for JSON"),
        ({"constrained": "json_schema"}, "needs a schema for every task, and 'a' has a checker of kind exact"),
    ],
)
def test_a_policy_that_fits_no_task_is_refused(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, line(checker={"kind": "exact"}, expected="x"), **keys)

    assert said in str(refused.value)
