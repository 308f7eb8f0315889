"""Parts are joined; reasoning is apart from the answer, and only the answer goes on in a conversation."""

from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import DONE
from field import END, FieldServer, chunk, counted, message, read, run, streamed, usage, whole, words

from harness.backends.counts import reply_tokens

THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("content", "reply", "aside"),
    [
        ([THOUGHT, {"type": "text", "text": "yes"}], "yes", "hm"),
        ([{"type": "text", "text": "y"}, "es"], "yes", ""),
        ([{"type": "output_text", "text": "yes", "annotations": []}], "yes", ""),
        ({"type": "text", "text": {"value": "yes", "annotations": []}}, "yes", ""),
        ([{"type": "reasoning", "summary": [{"text": "hm"}]}, {"text": "yes"}], "yes", "hm"),
        (7, "7", ""),
    ],
)
def test_content_in_parts_is_joined(content: Any, reply: str, aside: str) -> None:
    for came in (read(chunk({"content": content}), *END), whole(message(content, "stop"))):
        assert (came.answer.reply, "".join(came.answer.aside)) == (reply, aside)
        assert came.answer.token_events == 1


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_apart_from_the_answer(key: str) -> None:
    came = read(*[chunk({key: " t", "content": ""})] * 10, chunk({key: "!", "content": " so"}), *words(9), *END)

    assert came.answer.reply == " so" + "".join(f" w{n}" for n in range(9))
    assert "".join(came.answer.aside) == " t" * 10 + "!"
    assert came.answer.token_events == 20


@pytest.mark.parametrize("text", ["<think>well</think>\n\nyes", "well</think>yes"])
def test_reasoning_inside_the_text_does_not_go_on(text: str) -> None:
    assert read(chunk(text), *END).answer.reply == "yes"
    assert read(chunk("<think>and so on"), *END).answer.reply == ""


def test_the_replys_tokens_are_those_of_the_answer_alone() -> None:
    thought = [chunk({"reasoning_content": " w0"})] * 5
    told = usage(completion_tokens=20, completion_tokens_details={"reasoning_tokens": 8})

    assert reply_tokens(read(*thought, *words(10), chunk(finish="stop"), told, DONE).answer) == 12
    # 30 of 45 characters are the answer's: 10 of 15 tokens
    assert reply_tokens(read(*thought, *words(10), chunk(finish="stop"), counted(15), DONE).answer) == 10
    assert reply_tokens(read(*words(10), chunk(finish="stop"), counted(10), DONE).answer) == 10


def test_a_tool_call_is_generated_but_not_said() -> None:
    call = {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"a": 1}}}]}

    came = read(chunk(call), chunk(finish="tool_calls"), DONE)

    assert (came.answer.reply, came.answer.generated) == ("", 'f{"a":1}')
    assert came.error is None


def test_only_the_answer_goes_into_a_conversations_history(tmp_path: Path) -> None:
    thought = [chunk({"reasoning_content": f" think{n}"}) for n in range(10)]
    said = [chunk({"content": [{"type": "text", "text": f" say{n}"}]}) for n in range(10)]
    talk = {"kind": "sessions", "turns": 3, "base_tokens": 40, "growth_tokens": 40, "output_tokens": 20}

    with FieldServer(streamed(*thought, *said, *END)) as server:
        run(tmp_path, server, prompts=talk)

    asked = [message for x in server.generations() for message in x.body.get("messages", [])]
    histories = [message["content"] for message in asked if message["role"] == "assistant"]
    assert "".join(f" say{n}" for n in range(10)) in histories  # beside those that a user who enters late brings along
    assert not [text for text in histories if "think" in text]


def test_the_tokenizer_counts_reasoning_and_answer(tmp_path: Path) -> None:
    parts = [
        chunk({"content": [THOUGHT | {"thinking": " a b"}]}),
        chunk({"content": [{"type": "text", "text": " c d e"}]}),
    ]

    with FieldServer(streamed(*parts, chunk(finish="stop"), DONE), tokenizer=True) as server:
        rows, _, _ = run(tmp_path, server)

    assert set(rows["output_tokens"].dropna()) == {5}
