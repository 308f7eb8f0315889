"""What a turn sends of those before it."""

from pathlib import Path

import pytest

from harness.base.errors import UsageError
from harness.scenario.context import Kept, Parts, after_summary, context_words, kept_of, parted
from harness.scenario.tasks import TaskPrompts
from harness.tasks import read_tasks


def said(*words: str) -> list[dict[str, str]]:
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[word[0]], "content": word} for word in words]


def words(parts: Parts) -> tuple[list[str], list[str], list[str]]:
    head, older, last = ([message["content"] for message in part] for part in (parts.head, parts.older, parts.last))
    return head, older, last


@pytest.mark.parametrize(
    ("turns", "older", "last"),
    [
        (1, ["u1", "a1", "u2", "a2"], ["u3"]),
        (2, ["u1", "a1"], ["u2", "a2", "u3"]),
        (3, [], ["u1", "a1", "u2", "a2", "u3"]),
        (9, [], ["u1", "a1", "u2", "a2", "u3"]),
    ],
)
def test_a_turn_is_a_users_word_with_its_reply(turns: int, older: list[str], last: list[str]) -> None:
    talk = said("s", "u1", "a1", "u2", "a2", "u3")

    assert words(parted(talk, turns)) == (["s"], older, last)


def test_what_stands_before_the_first_word_stays_whatever_it_is() -> None:
    assert words(parted(said("s1", "s2", "a0", "u1", "a1", "u2"), 1)) == (["s1", "s2", "a0"], ["u1", "a1"], ["u2"])
    assert words(parted(said("u1", "a1", "u2"), 1)) == ([], ["u1", "a1"], ["u2"])


def test_a_summary_stands_in_the_first_word_that_is_sent() -> None:
    first, *others = after_summary(tuple(said("u2", "a2", "u3")), "S")

    assert first == {"role": "user", "content": "Summary of the conversation so far: S\n\nu2"}
    assert [one["content"] for one in others] == ["a2", "u3"]
    parts = after_summary(({"role": "user", "content": [{"type": "text", "text": "u"}]},), "S")[0]["content"]
    assert [part["text"] for part in parts] == ["Summary of the conversation so far: S\n\n", "u"]


def policy(context: object) -> TaskPrompts:
    return TaskPrompts.model_validate({"kind": "tasks", "file": "support", "context": context})


def test_the_policies_as_a_scenario_writes_them() -> None:
    assert kept_of(policy("all").context) is None
    assert kept_of(policy({"last_turns": 2}).context) == Kept(2)
    found = kept_of(policy({"summary": {"last_turns": 2, "output_tokens": 64, "prompt": "Sum up."}}).context)
    assert found == Kept(2, "Sum up.", 64)
    assert [context_words(policy(one).context) for one in ("all", {"last_turns": 1}, {"summary": {}})] == [
        "all", "last turn", "summary and last turn",
    ]  # fmt: skip


@pytest.mark.parametrize("bad", ["some", {"last_turns": 0}, {"last_turns": "2"}, {"summary": {"turns": 1}}, {}, 3])
def test_anything_else_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="context"):
        policy(bad)


def test_it_says_nothing_where_no_task_has_turns(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"id": "a", "prompt": "1 + 1?", "expected": "2", "checker": {"kind": "exact"}}\n'
    )
    spec = TaskPrompts.model_validate({"kind": "tasks", "file": "t.jsonl", "context": {"last_turns": 1}})

    with pytest.raises(UsageError, match=r"`prompts\.context` says what of earlier turns is sent, and no task has any"):
        read_tasks(spec, tmp_path)
