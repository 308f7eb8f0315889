import json
from typing import Any

import pytest

from harness.backends import BACKENDS
from harness.backends.openai_compat import OpenAiReader
from harness.backends.wire import Ask, error_detail


def read(events: list[Any], *, empty_is_token: bool = False) -> tuple[OpenAiReader, list[bool]]:
    stream = OpenAiReader(empty_is_token=empty_is_token)
    return stream, [stream.feed(e if isinstance(e, bytes) else json.dumps(e).encode()) for e in events]


def completion(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": finish}], **more}


def chat(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def test_a_role_only_chunk_is_no_token() -> None:
    stream, tokens = read([chat({"role": "assistant", "content": ""}), chat({"content": "Hi"})], empty_is_token=True)

    assert tokens == [False, True]
    assert stream.answer.token_events == 1


def test_reasoning_and_tool_text_are_tokens() -> None:
    call = {"index": 0, "function": {"name": "f", "arguments": ""}}

    _, tokens = read([chat({"reasoning_content": "hm"}), chat({"tool_calls": [call]}), chat({"content": None})])

    assert tokens == [True, True, False]


def test_an_empty_text_is_a_token_only_where_the_engine_sends_one_event_a_step() -> None:
    assert read([completion("")], empty_is_token=True)[1] == [True]
    assert read([completion("", "length")], empty_is_token=False)[1] == [False]


def test_usage_is_read_from_its_own_chunk() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}

    stream, _ = read([completion("a", "length"), {"choices": [], "usage": usage}, b"[DONE]"])

    answer = stream.answer
    assert (answer.prompt_tokens, answer.output_tokens, answer.cached_tokens) == (9, 4, 8)
    assert (answer.finish_reason, answer.done) == ("length", True)


def test_llama_servers_timings_stand_in_for_usage() -> None:
    timings = {"cache_n": 3, "prompt_n": 7, "predicted_n": 5}

    stream, _ = read([completion("a", "length", timings=timings)])

    assert stream.answer.output_tokens == 5
    assert stream.answer.prompt_tokens == 10
    assert stream.answer.cached_tokens == 3


def test_an_empty_finish_reason_is_none_yet() -> None:
    assert read([completion("a", "")])[0].answer.finish_reason is None


@pytest.mark.parametrize(
    "error",
    [{"error": {"message": "out of memory", "code": 500}}, {"error": "out of memory", "error_type": "generation"}],
)
def test_an_error_event_is_kept_in_words(error: dict[str, Any]) -> None:
    stream, tokens = read([completion("a"), error, b"[DONE]"])

    assert tokens == [True, False, False]
    assert stream.answer.error == "out of memory"


def test_nonsense_events_are_no_tokens() -> None:
    assert read([b"not json", b"[1]", b"3"])[1] == [False, False, False]


def ask(**more: Any) -> Ask:
    base: dict[str, Any] = {
        "prompt": "p", "max_tokens": 7, "api": "completions", "stream": True,
        "temperature": 0, "force_length": True, "model": "m",
    }  # fmt: skip
    return Ask(**(base | more))


def test_lengths_are_forced_in_each_engines_own_words() -> None:
    openai, vllm, llama = (BACKENDS[name].body(ask()) for name in ("openai", "vllm", "llama_cpp"))

    assert "ignore_eos" not in openai
    assert (vllm["ignore_eos"], vllm["min_tokens"], vllm["max_tokens"]) == (True, 7, 7)
    assert (llama["ignore_eos"], llama["min_tokens"], llama["repeat_penalty"]) == (True, 7, 1.0)


def test_extra_body_has_the_last_word() -> None:
    assert BACKENDS["vllm"].body(ask(extra_body={"temperature": 1, "top_k": 4})) | {} == BACKENDS["vllm"].body(
        ask()
    ) | {"temperature": 1, "top_k": 4}


def test_a_chat_prompt_is_one_user_message() -> None:
    body = BACKENDS["openai"].body(ask(api="chat"))

    assert body["messages"] == [{"role": "user", "content": "p"}]
    assert "prompt" not in body


def test_a_whole_answer_gives_the_servers_counts() -> None:
    body = {
        "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }

    answer = BACKENDS["openai"].read_body("chat", json.dumps(body).encode(), {})

    assert (answer.finish_reason, answer.output_tokens, answer.prompt_tokens) == ("stop", 1, 3)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "no such model"}}', "no such model"),
        (b'{"error": "overloaded", "error_type": "x"}', "overloaded"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"Bad gateway\n", "Bad gateway"),
        (b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1>\r\n"
         b"<hr><center>nginx</center></body></html>", "502 Bad Gateway; nginx"),
        (b"<!DOCTYPE html><style>h1 {color: red}</style><h1>Error&nbsp;1015</h1><p>You are being\nrate limited",
         "Error 1015; You are being; rate limited"),
        (b"<?xml version='1.0'?><html><script>if (a < b) {", ""),
        (b"<Error><Code>AccessDenied</Code></Error>", "<Error><Code>AccessDenied</Code></Error>"),
        (b"", ""),
    ],
)  # fmt: skip
def test_error_bodies_are_read_in_every_form(body: bytes, words: str) -> None:
    assert error_detail(body) == words
