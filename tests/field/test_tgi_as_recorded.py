"""Streams that a real TGI 3.3 sent, read as they are (`tests/data/tgi-3.3`)."""

from pathlib import Path

import pytest
from field import Came, read

RECORDED = Path(__file__).parent.parent / "data" / "tgi-3.3"


def came_of(name: str, api: str, asked: int) -> Came:
    raw = (RECORDED / f"{name}.txt").read_bytes().partition(b"\r\n\r\n")[2]
    body, rest = b"", raw
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return read(*body.splitlines(keepends=True), backend="tgi", api=api, asked=asked)


@pytest.mark.parametrize(
    ("name", "api", "tokens", "count"),
    [
        ("chat_stream", "chat", 5, (None, "unknown")),
        ("chat_stream_usage", "chat", 5, (5, "server")),
        ("completions_stream", "completions", 5, (5, "server")),
        ("stream", "native", 6, (6, "derived")),  # `details` was not asked for
        ("stream_grammar", "native", 12, (12, "derived")),
    ],
)
def test_a_stream_is_served_with_its_tokens(name: str, api: str, tokens: int, count: tuple[int | None, str]) -> None:
    came = came_of(name, api, asked=tokens)

    assert (came.error, came.answer.token_events, came.count) == (None, tokens, count)
    assert came.answer.unreadable == 0


@pytest.mark.parametrize(
    ("name", "api"),
    [
        ("chat_stream_overloaded", "chat"),
        ("completions_stream_overloaded", "completions"),
        ("stream_overloaded", "native"),
    ],
)
def test_overload_is_told_by_its_words(name: str, api: str) -> None:
    came = came_of(name, api, asked=4)

    assert came.error == "error_event"
    assert "Model is overloaded" in (came.detail or "")


def test_an_end_mark_after_nothing_is_no_answer() -> None:
    came = came_of("chat_tools", "chat", asked=20)

    assert (came.error, came.detail) == ("no_tokens", "nothing came before the end mark")


def test_two_prompts_at_once_are_two_choices() -> None:
    came = came_of("completions_list_stream", "completions", asked=3)

    assert (came.answer.choices, came.answer.token_events) == (2, 6)
