"""One contract over all dialects: what is a token, what is a success, whose count is kept, what is asked."""

import json
from typing import Any

import pytest
from dialects import DIALECTS, DONE, PROMPT_TOKENS, Dialect

from harness.backends import BACKENDS
from harness.backends.wire import Answer, Ask
from harness.load.wire.sse import SseParser

every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)


def read(dialect: Dialect, stream: bytes, *, piece: int = 0) -> tuple[Answer, int]:
    """The answer in a stream's bytes, and how many events its reader took for tokens."""
    parser, reader, tokens = SseParser(), BACKENDS[dialect.backend].reader(dialect.api), 0
    size = piece or len(stream)
    for start in range(0, len(stream), size):
        tokens += sum(map(reader.feed, parser.feed(stream[start : start + size])))
    tokens += sum(map(reader.feed, parser.close()))
    return reader.answer, tokens


def ask(dialect: Dialect, **more: Any) -> Ask:
    base: dict[str, Any] = {
        "prompt": "p", "max_tokens": 7, "api": dialect.api, "stream": True, "temperature": 0.0,
        "force_length": True, "model": "m", "cache_salt": "salt",
    }  # fmt: skip
    return Ask(**(base | more))


def body(dialect: Dialect, **more: Any) -> dict[str, Any]:
    return BACKENDS[dialect.backend].body(ask(dialect, **more))


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    return [value]


@every_dialect
def test_a_whole_stream_is_a_success_with_the_servers_counts(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.token("one") + dialect.token(" two") + dialect.last(" three", 3))

    assert tokens == answer.token_events == 3
    assert (answer.finish_reason, answer.error) == (dialect.finish, None)
    assert (answer.output_tokens, answer.prompt_tokens) == (3, PROMPT_TOKENS)
    assert "".join(answer.text) == "one two three"


@every_dialect
def test_the_servers_count_wins_over_the_number_of_events(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.token("one two") + dialect.last(" three", 3))

    assert tokens == 2
    assert answer.output_tokens == 3


@every_dialect
def test_an_end_mark_alone_is_no_success(dialect: Dialect) -> None:
    answer, _ = read(dialect, dialect.token("one") + DONE)

    assert answer.finish_reason is None


@every_dialect
def test_a_stream_that_breaks_off_has_no_finish_reason(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.token("one") + dialect.token(" two"))

    assert tokens == 2
    assert answer.finish_reason is None


@every_dialect
def test_keep_alives_are_no_tokens_wherever_they_come(dialect: Dialect) -> None:
    quiet = dialect.token("one") + dialect.last(" two", 2)
    noisy = b":\n\n" + dialect.token("one") + b": ping\n\n: keep-alive\n\n" + dialect.last(" two", 2)

    assert read(dialect, noisy) == read(dialect, quiet)


@every_dialect
@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64])
def test_a_stream_reads_alike_in_pieces_of_any_size(dialect: Dialect, piece: int) -> None:
    stream = dialect.token("é€") + dialect.token("😀") + dialect.last("\u2028", 3) + DONE

    assert read(dialect, stream, piece=piece) == read(dialect, stream)
    assert "".join(read(dialect, stream, piece=piece)[0].text) == "é€😀\u2028"


@every_dialect
def test_a_stream_without_the_space_and_with_crlf_reads_alike(dialect: Dialect) -> None:
    stream = dialect.token("one") + dialect.last(" two", 2)
    other = stream.replace(b"data: ", b"data:").replace(b"\n", b"\r\n")

    assert read(dialect, other) == read(dialect, stream)


@every_dialect
def test_an_error_after_tokens_is_kept_with_the_tokens_before_it(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.token("one") + dialect.error)

    assert tokens == 1
    assert answer.error == dialect.error_words
    assert answer.finish_reason is None


@every_dialect
def test_an_error_first_is_no_token(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.error + DONE)

    assert tokens == 0
    assert answer.error == dialect.error_words


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.overload], ids=str)
def test_overload_under_status_200_is_an_error_that_says_so(dialect: Dialect) -> None:
    answer, tokens = read(dialect, b"".join(dialect.overload))

    assert tokens == 0
    assert "Model is overloaded" in (answer.error or "")


@every_dialect
def test_an_event_without_text_is_a_token_where_the_engine_sends_one_event_a_step(dialect: Dialect) -> None:
    answer, tokens = read(dialect, dialect.token("") + dialect.last(" two", 2))

    assert tokens == 1 + dialect.empty_text_is_token
    assert answer.output_tokens == 2


@pytest.mark.parametrize("dialect", [d for d in DIALECTS if d.api == "chat" and d.backend != "tgi"], ids=str)
def test_a_chunk_that_only_names_the_role_is_no_token(dialect: Dialect) -> None:
    role = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    null = role.replace(b'""', b"null")

    for first in (role, null):
        assert read(dialect, first + dialect.last("one", 1))[1] == 1


@every_dialect
def test_nonsense_is_no_token_and_no_end(dialect: Dialect) -> None:
    answer, tokens = read(dialect, b"data: {half\n\ndata: [1]\n\ndata: 3\n\ndata: null\n\ndata: {}\n\n")

    assert tokens == 0
    assert answer == Answer(unreadable=4, example="{half")  # {} says nothing, but can be read


@every_dialect
def test_a_whole_answer_gives_finish_reason_text_and_counts(dialect: Dialect) -> None:
    wire = BACKENDS[dialect.backend]
    headers = {"x-prompt-tokens": str(PROMPT_TOKENS)} if dialect.backend == "tgi" else {}

    answer = wire.read_body(dialect.api, json.dumps(dialect.whole).encode(), headers)

    assert (answer.finish_reason, answer.output_tokens, answer.error) == (dialect.finish, 2, None)
    assert answer.prompt_tokens == PROMPT_TOKENS
    assert "".join(answer.text) == "Hi"


@every_dialect
@pytest.mark.parametrize("nonsense", [b"", b"<html>", b"[]", b"3"])
def test_a_whole_answer_that_is_nonsense_is_an_error(dialect: Dialect, nonsense: bytes) -> None:
    answer = BACKENDS[dialect.backend].read_body(dialect.api, nonsense, {})

    assert answer.error
    assert answer.finish_reason is None


@every_dialect
def test_a_request_has_no_null_in_it(dialect: Dialect) -> None:
    assert None not in leaves(body(dialect, model=None))
    assert None not in leaves(body(dialect, model=None, stream=False))


@every_dialect
def test_a_request_says_how_long_and_whether_to_stream(dialect: Dialect) -> None:
    sent = leaves(body(dialect))

    assert 7 in sent
    assert "stream_options" not in body(dialect, stream=False)
    assert BACKENDS[dialect.backend].path(dialect.api, stream=True).startswith("/")


@every_dialect
def test_extra_body_has_the_last_word(dialect: Dialect) -> None:
    assert body(dialect, extra_body={"temperature": 0.5, "top_p": 0.9}) == body(dialect) | {
        "temperature": 0.5,
        "top_p": 0.9,
    }


@pytest.mark.parametrize(
    ("backend", "key", "fresh", "reused"),
    [("vllm", "cache_salt", "salt", None), ("llama_cpp", "cache_prompt", False, True)],
)
def test_prefix_reuse_is_off_unless_it_is_wanted(backend: str, key: str, fresh: Any, reused: Any) -> None:
    dialect = next(d for d in DIALECTS if d.backend == backend)

    assert body(dialect)[key] == fresh
    assert body(dialect, cache_salt=None).get(key) == reused


def test_vllms_own_times_are_kept() -> None:
    dialect = next(d for d in DIALECTS if str(d) == "vllm-completions")
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 8}}
    times = {"time_to_first_token_ms": 85.0, "generation_time_ms": 1240.5, "queue_time_ms": 12.5}
    end = b"data: " + json.dumps({"choices": [], "usage": usage, "metrics": times}).encode() + b"\n\n"

    answer, _ = read(dialect, dialect.token("a") + end)

    assert (answer.server_queue_s, answer.server_prefill_s, answer.server_decode_s) == (0.0125, 0.085, 1.2405)
    assert answer.cached_tokens == 8


def test_llama_servers_own_times_are_kept() -> None:
    dialect = next(d for d in DIALECTS if str(d) == "llama_cpp-native")

    answer, _ = read(dialect, dialect.last("a", 1))

    assert (answer.server_prefill_s, answer.server_decode_s) == (0.04, 0.02)
    assert answer.cached_tokens == 3
    assert answer.server_queue_s is None
