"""One odd value costs at most one value: never a row, never a run."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from faulty_exchange import DONE
from field import Came, FieldServer, chunk, message, read, run, served, streamed, usage, whole, words
from load_helpers import records_of, run_load, scenario

from harness.backends.counts import count_of


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (20, 20), (20.0, 20), (20.25, 20), ("20", 20), ("20.0", 20), (0, 0), (-1, None), ("many", None), (None, None),
        (True, None), ([20], None), ({"n": 20}, None), (float("nan"), None), (float("inf"), None), (10**400, None),
    ],
)  # fmt: skip
def test_a_count_is_rounded_or_unknown(value: object, count: int | None) -> None:
    assert count_of(value) == count


@pytest.mark.parametrize("odd", [20.25, "20", "20.4"])
def test_an_odd_count_is_read(odd: object) -> None:
    came = read(*words(20), chunk(finish="length"), usage(prompt_tokens=50.0, completion_tokens=odd), DONE)

    assert (came.error, came.count, came.answer.prompt_tokens) == (None, (20, "server"), 50)


@pytest.mark.parametrize("last", [None, {}, [], "none", {"completion_tokens": None}, {"completion_tokens": "?"}])
def test_the_last_known_count_of_a_cumulative_usage_stays(last: object) -> None:
    events = [chunk(" w", usage={"prompt_tokens": 50, "completion_tokens": n}) for n in range(1, 21)]

    came = read(*events, chunk(finish="length", usage=last), DONE)

    assert (came.error, came.count, came.answer.prompt_tokens) == (None, (20, "server"), 50)


def test_a_count_that_is_missing_is_derived_from_the_total() -> None:
    came = read(*words(20), chunk(finish="length"), usage(prompt_tokens=50, total_tokens=70), DONE)
    odd = read(
        *words(20), chunk(finish="length"), usage(prompt_tokens=50, completion_tokens="?", total_tokens=70), DONE
    )

    assert came.count == odd.count == (20, "derived")


def test_counts_are_read_under_their_other_names() -> None:
    came = read(*words(20), chunk(finish="stop"), usage(input_tokens=50, output_tokens=20), DONE)
    in_choice = b'data: {"choices": [{"delta": {}, "finish_reason": "stop", "usage": {"completion_tokens": 20}}]}\n\n'

    assert (came.count, came.answer.prompt_tokens) == ((20, "server"), 50)
    assert read(*words(20), in_choice, DONE).count == (20, "server")


@pytest.mark.parametrize("finish", [7, {"type": "length"}, ["stop"]])
def test_a_finish_reason_that_is_no_text_is_no_good_end_and_no_broken_row(finish: Any) -> None:
    came = read(*words(20), data_of(finish), usage(completion_tokens=20), DONE)

    assert came.error == "aborted"
    assert isinstance(came.answer.finish_reason, str)


def data_of(finish: Any) -> bytes:
    return (
        b"data: " + json.dumps({"choices": [{"index": "0", "delta": {}, "finish_reason": finish}]}).encode() + b"\n\n"
    )


def test_odd_times_and_details_cost_only_themselves() -> None:
    body = message("a b", usage={"completion_tokens": 20, "prompt_tokens_details": 3, "prompt_tokens": [1]})
    body |= {"timings": "fast", "metrics": [1]}

    came = whole(body)

    assert (came.error, came.count, came.answer.prompt_tokens, came.answer.server_decode_s) == (
        None, (20, "server"), None, None,
    )  # fmt: skip


def test_a_run_against_such_a_server_loses_nothing(tmp_path: Path) -> None:
    odd = usage(
        prompt_tokens="7", completion_tokens="20", total_tokens=[], prompt_tokens_details={"cached_tokens": 1.5}
    )

    with FieldServer(streamed(*words(20), chunk(finish="length"), odd, DONE)) as server:
        rows, found, _ = run(tmp_path, server)

    assert rows["error"].dropna().isin(["cut_at_end"]).all()
    assert set(served(rows)["output_tokens"]) == {20}
    assert "token_source" not in found


ODD: tuple[Any, ...] = (
    None, True, 0, -1, 8.5, "", "text", "8.5", [], {}, [1], [[1]], {"a": 1}, [None], [{}], {"text": {"text": 5}},
    10**25, 1e308, "x" * 1000, "\ud800",
)  # fmt: skip
COUNTS = {
    "usage": {
        "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8, "input_tokens": 4, "cache_read_input_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 1}, "completion_tokens_details": {"reasoning_tokens": 1},
    },
    "timings": {"predicted_n": 3, "cache_n": 1, "prompt_n": 5, "prompt_ms": 1.0, "predicted_ms": 2.0},
    "metrics": {"queue_time_ms": 1, "time_to_first_token_ms": 2, "generation_time_ms": 3},
}  # fmt: skip
SAID = {
    "role": "assistant", "content": "w", "reasoning_content": "r", "function_call": {"name": "f", "arguments": "x"},
    "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
}  # fmt: skip
ANSWERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "chat", {"choices": [{"index": 0, "delta": SAID, "finish_reason": "length"}], **COUNTS}),
    "chat, whole": ("vllm", "chat", {"choices": [{"message": SAID, "finish_reason": "length"}], **COUNTS}),
    "text": ("openai", "completions", {"choices": [{"index": 0, "text": "w", "finish_reason": "length"}], **COUNTS}),
    "llama-server": ("llama_cpp", "native", {
        "content": "w", "stop": True, "stop_type": "limit", "tokens_evaluated": 5, "tokens_predicted": 3, **COUNTS,
    }),
    "llama-server, a token": ("llama_cpp", "native", {"content": "w", "stop": False}),
    "tgi": ("tgi", "native", {
        "token": {"id": 1, "text": "w", "special": False}, "generated_text": "w",
        "details": {"finish_reason": "length", "generated_tokens": 3, "input_length": 5},
    }),
}  # fmt: skip


def with_one_odd(value: Any, where: Any, odd: Any) -> Iterator[Any]:
    """The value as often as it has places, `odd` in another one of them each time."""
    keys = list(where) if isinstance(where, dict) else range(len(where)) if isinstance(where, list) else ()
    for key in keys:
        kept, where[key] = where[key], odd
        yield deepcopy(value)
        where[key] = kept
        yield from with_one_odd(value, kept, odd)


def row_of(came: Came) -> bytes:
    """What of an answer enters a row, or is told to a conversation."""
    answer = came.answer
    counts = answer.prompt_tokens, answer.cached_tokens, answer.output_tokens, answer.reasoning_tokens
    assert all(count is None or (type(count) is int and count >= 0) for count in counts)
    words = came.error, came.detail, answer.finish_reason, answer.example
    assert all(word is None or len(word) < 400 for word in words)
    times = answer.server_queue_s, answer.server_prefill_s, answer.server_decode_s
    share = came.reading.tpot_share()
    return orjson.dumps([counts, words, times, share, answer.generated, answer.reply, answer.unreadable])


@pytest.mark.parametrize("name", ANSWERS)
def test_an_odd_value_at_any_place_of_an_answer_leaves_a_row_that_can_be_written(name: str) -> None:
    backend, api, answer = ANSWERS[name]
    for odd in ODD:
        for body in with_one_odd(answer, answer, odd):
            raw = json.dumps(body).encode()
            assert row_of(read(b"data: " + raw + b"\n\n", DONE, backend=backend, api=api))
            assert row_of(whole(raw, backend, api))


@pytest.mark.parametrize("content", [7, True, ["parts"], {"text": "w"}])
def test_text_of_another_type_costs_no_row_on_a_native_route(content: object, tmp_path: Path) -> None:
    event = b"data: " + json.dumps({"content": content, "stop": False}).encode() + b"\n\n"

    with FieldServer(streamed(event, event)) as server:
        rows = records_of(run_load(tmp_path, server.base_url, backend="llama_cpp", work=scenario(
            request={"timeout_s": 5, "api": "native"}
        )))  # fmt: skip

    assert set(rows["error"].dropna()) <= {"truncated", "cut_at_end"}
    assert (rows["events"] == 2).any()
