"""SGLang's own route, whose events have all the text so far, and what it sends where it refuses."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from field import read as came

from harness.backends import BACKENDS
from harness.backends.faults import hint_for
from harness.backends.wire import Answer, Ask, error_detail

WIRE = BACKENDS["sglang"]
LENGTH = {"type": "length", "length": 3}
QUEUE_FULL = {"type": "abort", "message": "The request queue is full.", "status_code": 503, "err_type": None}


def event(text: str | None, tokens: int, finish: dict[str, Any] | None = None, **more: Any) -> bytes:
    meta = {
        "id": "a1", "finish_reason": finish, "prompt_tokens": 7, "weight_version": "default",
        "completion_tokens": tokens, "cached_tokens": 2, "e2e_latency": 0.1,
    }  # fmt: skip
    return b"data: " + json.dumps({"text": text, "meta_info": meta, **more}).encode() + b"\n\n"


def stream(pieces: Sequence[str], *, incremental: bool = False, with_ids: bool = True) -> list[bytes]:
    """What `/generate` sends for these tokens; 0.4 sent no ids beside text."""
    events = []
    for n, piece in enumerate(pieces, 1):
        text = piece if incremental else "".join(pieces[:n])
        ids = {"output_ids": [5] if incremental else [5] * n} if with_ids else {}
        events.append(event(text, n, LENGTH if n == len(pieces) else None, **ids))
    return [*events, b"data: [DONE]\n\n"]


def read(*events: bytes) -> Answer:
    return came(*events, backend="sglang", api="native", asked=3).answer


def ask(**more: Any) -> Ask:
    base: dict[str, Any] = {
        "prompt": "p", "max_tokens": 7, "api": "native", "stream": True, "temperature": 0.0,
        "force_length": True, "model": "m", "cache_salt": "salt",
    }  # fmt: skip
    return Ask(**(base | more))


@pytest.mark.parametrize("with_ids", [True, False], ids=["0.5", "0.4"])
@pytest.mark.parametrize(
    ("pieces", "incremental"),
    [
        (("one", " two", " three"), False),
        (("one", " two", " three"), True),
        (("", "é", "é"), False),
        (("", "é", "x"), True),
        (("a", "", "b"), False),
        (("a", "b", "ab"), True),
    ],
)
def test_the_text_is_read_once_and_a_token_is_counted_where_the_count_rose(
    pieces: tuple[str, ...], incremental: bool, with_ids: bool
) -> None:
    answer = read(*stream(pieces, incremental=incremental, with_ids=with_ids))

    assert "".join(answer.text) == "".join(pieces)
    assert (answer.token_events, answer.output_tokens, answer.prompt_tokens, answer.cached_tokens) == (3, 3, 7, 2)
    assert (answer.finish_reason, answer.error, answer.done) == ("length", None, True)


def test_an_event_that_repeats_the_count_is_no_token_and_several_tokens_may_come_in_one() -> None:
    answer = read(event("ab", 2), event("ab", 2), event("abc", 3, LENGTH))

    assert (answer.token_events, answer.output_tokens) == (2, 3)


def test_a_whole_answer_has_the_form_of_the_last_event() -> None:
    body = stream(("a", "b", "c"))[2].removeprefix(b"data: ").strip()

    answer = WIRE.read_body("native", body, {})

    assert ("".join(answer.text), answer.output_tokens, answer.finish_reason) == ("abc", 3, "length")


def test_a_stream_that_breaks_off_has_no_finish_reason() -> None:
    answer = read(event("a", 1), event("ab", 2))

    assert (answer.finish_reason, answer.token_events) == (None, 2)


def test_an_abort_with_a_status_is_an_error_in_the_servers_words_one_without_is_no_good_end() -> None:
    refused = came(event("", 0, QUEUE_FULL), b"data: [DONE]\n\n", backend="sglang", api="native", asked=3)
    aborted = came(
        event("a", 1, {"type": "abort", "message": "Aborted", "status_code": None}),
        b"data: [DONE]\n\n", backend="sglang", api="native", asked=3,
    )  # fmt: skip

    assert (refused.error, refused.detail) == ("error_event", "The request queue is full.")
    assert aborted.error == "aborted"


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "The request queue is full.", "type": "503", "param": None, "code": 503},
        {"error": {"message": "The request queue is full."}},
    ],
)
def test_a_full_queue_is_the_servers_own_limit_and_named_with_its_flag(body: dict[str, Any]) -> None:
    hint = hint_for("http_503", error_detail(json.dumps(body).encode())) or ""

    assert "--max-queued-requests" in hint


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_full_queue_inside_a_stream_is_one_too(api: str) -> None:
    said = {"object": "error", "message": "The request queue is full.", "type": "SERVICE_UNAVAILABLE", "code": 503}
    refused = came(b"data: " + json.dumps({"error": said}).encode() + b"\n\n", backend="sglang", api=api)

    assert refused.error == "error_event"
    assert "--max-queued-requests" in (hint_for(refused.error, refused.detail) or "")


@pytest.mark.parametrize(
    "words",
    [
        "Input length (8187 tokens) exceeds the maximum allowed length (8186 tokens). Use a shorter input.",
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 9",
    ],
)
def test_what_does_not_fit_is_named_as_that(words: str) -> None:
    assert "do not fit the engine's context" in (hint_for("http_400", words) or "")


def test_the_native_body_has_its_own_names_and_no_key_that_only_others_know() -> None:
    assert WIRE.body(ask()) == {
        "text": "p", "stream": True, "cache_salt": "salt", "extra_key": "salt",
        "sampling_params": {"max_new_tokens": 7, "temperature": 0.0, "ignore_eos": True},
    }  # fmt: skip
    free = WIRE.body(ask(force_length=False, cache_salt=None, temperature=0.7, stream=False))
    assert free == {
        "text": "p", "stream": False,
        "sampling_params": {
            "max_new_tokens": 7, "temperature": 0.7, "top_p": 1, "top_k": -1, "min_p": 0, "repetition_penalty": 1,
        },
    }  # fmt: skip


def test_extra_body_has_the_last_word_inside_sampling_params_too() -> None:
    body = WIRE.body(ask(extra_body={"sampling_params": {"top_k": 5, "ignore_eos": None}, "rid": "x"}))

    assert body["sampling_params"] == {"max_new_tokens": 7, "temperature": 0.0, "top_k": 5}
    assert body["rid"] == "x"


@pytest.mark.parametrize("api", ["completions", "chat"])
def test_a_forced_length_needs_no_penalty_on_end_tokens(api: str) -> None:
    body = WIRE.body(ask(api=api))

    assert (body["ignore_eos"], body["max_tokens"], body["cache_salt"]) == (True, 7, "salt")
    assert "min_tokens" not in body


def test_a_conversation_is_counted_as_it_would_be_answered() -> None:
    message = {"role": "user", "content": "hi"}

    assert WIRE.chat_tokenize_body([message], "m") == {"messages": [message], "model": "m"}
