"""Recorded conversations: what of them is asked again, and what is left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.scenario.prompt_rows import RawRow
from harness.scenario.sharegpt import recorded_turns
from harness.scenario.turns import LeftOut, Turn, asked

OTHER_SPEAKER = "turn of another speaker than user, assistant and system"


def turns_of(**cells: Any) -> tuple[tuple[Turn, ...], LeftOut]:
    left_out: LeftOut = Counter()
    return recorded_turns(RawRow(Path("f.json"), 1, 1, cells), left_out), left_out


def talk(text: str, *, keys: tuple[str, str] = ("from", "value")) -> list[dict[str, str]]:
    """`human: hi | gpt: ho` as turns."""
    return [dict(zip(keys, turn.split(": "), strict=True)) for turn in text.split(" | ")]


def said(turns: tuple[Turn, ...]) -> str:
    """What the last request has in it, in the notation of `talk`."""
    return " | ".join(f"{m['role']}: {m['content']}" for m in asked(turns, len(turns) - 1))


@pytest.mark.parametrize(
    "cells",
    [
        {"conversations": talk("human: a | gpt: b c | human: d | gpt: e")},
        {"conversation": talk("user: a | assistant: b c | user: d | assistant: e")},
        {"conversations": talk("user: a | assistant: b c | user: d | assistant: e", keys=("role", "content"))},
        {"messages": talk("user: a | assistant: b c | user: d | assistant: e", keys=("role", "content"))},
    ],
    ids=["human and gpt", "conversation", "roles in conversations", "messages"],
)
def test_every_question_is_asked_with_the_recorded_talk_before_it(cells: dict[str, Any]) -> None:
    turns, left_out = turns_of(**cells)

    assert [turn.answer for turn in turns] == ["b c", "e"]
    assert asked(turns, 0) == ({"role": "user", "content": "a"},)
    assert said(turns) == "user: a | assistant: b c | user: d"
    assert not left_out


@pytest.mark.parametrize(
    "cells",
    [
        {"conversations": talk("system: be brief | human: a | gpt: b")},
        {"system": "be brief", "conversations": talk("human: a | gpt: b")},
    ],
)
def test_the_system_prompt_stays_in_front(cells: dict[str, Any]) -> None:
    turns, _ = turns_of(**cells)

    assert said(turns) == "system: be brief | user: a"


@pytest.mark.parametrize(
    ("text", "last", "answers", "left_out"),
    [
        ("gpt: x | human: a | gpt: b", "user: a", ["b"], {"answer without a question before it": 1}),
        ("human: a | gpt: b | human: c", "user: a | assistant: b | user: c", ["b", None], {}),
        ("human: a | human: b | gpt: c | gpt: d", "user: a\n\nb", ["c\n\nd"], {}),
        ("human: a | tool: t | gpt: b", "user: a", ["b"], {OTHER_SPEAKER: 1}),
        ("human: a | gpt:  | human: b | gpt: c", "user: a\n\nb", ["c"], {"turn without text": 1}),
        ("gpt: x", "", [], {"answer without a question before it": 1, "conversation without a question": 1}),
        ("system: x", "", [], {"conversation without a question": 1}),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_again_is_left_out_and_counted(
    text: str, last: str, answers: list[str | None], left_out: dict[str, int]
) -> None:
    turns, counted = turns_of(conversations=talk(text))

    assert [turn.answer for turn in turns] == answers
    assert (said(turns) if turns else "") == last
    assert {" ".join(key): n for key, n in counted.items()} == left_out


def test_a_conversation_without_turns_is_left_out() -> None:
    for cells in ({"conversations": []}, {"id": 1}, {"conversations": None, "messages": []}):
        turns, left_out = turns_of(**cells)
        assert (turns, left_out) == ((), {("conversation", "without a question"): 1}), json.dumps(cells)
