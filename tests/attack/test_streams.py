"""Answers as no server should give them: each ends in one row of a known kind, however its bytes were cut."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "attack"))
from streams import tried

from harness.backends import BACKENDS
from harness.load.wire.exchange import Exchange, Response
from harness.load.wire.reading import Reading
from harness.load.wire.sse import ErrorEvent, SseParser

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"


@pytest.mark.parametrize("seed", range(3))
def test_changed_answers_end_in_rows_that_hold(seed: int, tmp_path: Path) -> None:
    bad, ends, _ = tried(seed * 1000, 1000, tmp_path)

    assert bad == []
    assert len(ends) > 10


def split_everywhere(stream: bytes) -> list[list[bytes]]:
    """The events of a stream, cut in two at every place."""
    came = []
    for at in range(len(stream) + 1):
        parser = SseParser()
        came.append([*parser.feed(stream[:at]), *parser.feed(stream[at:]), *parser.close()])
    return came


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"event: error\ndata: a\n\ndata: b\n\n", [ErrorEvent(b"a"), b"b"]),
        (b"data: {}\nevent: error\ndata: a\n\n", [b"{}", ErrorEvent(b"a")]),
        (b"data: {}\nevent: error\n\n", [b"{}"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\ndata: c\n\n", [b"a", b"c"]),  # a mark that is not the stream's first
    ],
)
def test_events_are_the_same_wherever_a_stream_is_cut(stream: bytes, events: list[bytes]) -> None:
    for came in split_everywhere(stream):
        assert [(event.__class__, event) for event in came] == [(event.__class__, event) for event in events]


@pytest.mark.parametrize("more", [b'{"choices": [{"index": 0, "text": "b"}]}', b'{"error": "no"}', b"{", b"[DONE]"])
def test_what_follows_the_end_mark_is_no_part_of_the_answer_in_the_same_read_either(more: bytes) -> None:
    reading = Reading(BACKENDS["vllm"].reader("completions"), arrivals=[])
    exchange = Exchange(status=200)

    reading.on_bytes(
        exchange, b'data: {"choices": [{"index": 0, "text": "a"}]}\n\ndata: [DONE]\n\ndata: ' + more + b"\n\n"
    )
    answer = reading.take_answer(reading.reader.answer)  # type: ignore[union-attr]

    assert exchange.is_over
    assert (answer.generated, answer.error, answer.unreadable) == ("a", None, 0)


def test_an_error_event_after_the_end_mark_is_none() -> None:
    reading = Reading(BACKENDS["vllm"].reader("completions"), arrivals=[])

    reading.on_bytes(Exchange(status=200), b"data: [DONE]\n\nevent: error\ndata: no\n\n")

    assert reading.error is None


@pytest.mark.parametrize("more", [b"\r\n", b"junk", b"HTTP/1.1 500 No\r\n\r\nmore", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("answer", [CHUNKED, HEAD + b"content-length: 2\r\n\r\nab"], ids=["chunked", "length"])
def test_what_follows_a_whole_answer_costs_the_connection_and_not_the_answer(answer: bytes, more: bytes) -> None:
    response = Response("POST")

    response.feed(answer + more)

    assert (response.is_answered, response.get_code(), response.take_body()) == (True, 200, b"ab")
    assert more == b"\r\n" or response.should_close()


@pytest.mark.parametrize(
    ("backend", "event", "text"),
    [
        ("llama_cpp", b'{"content": 7, "stop": false}', "7"),
        ("llama_cpp", b'{"content": [{"type": "text", "text": "a"}], "stop": false}', "a"),
        ("llama_cpp", b'{"content": {"x": 1}, "stop": true}', ""),
        ("tgi", b'{"token": {"text": 1.5, "special": false}}', "1.5"),
        ("tgi", b'{"token": {"text": ["a", null, "b"]}}', "ab"),
    ],
)
def test_text_of_another_type_on_a_native_route_costs_no_row(backend: str, event: bytes, text: str) -> None:
    reading = Reading(BACKENDS[backend].reader("native"), arrivals=None)

    reading.on_bytes(Exchange(status=200), b"data: " + event + b"\n\n")

    assert reading.reader is not None
    assert reading.take_answer(reading.reader.answer).generated == text


@pytest.mark.parametrize("body", [b'""', b"[]", b"0", b"false"])
def test_a_whole_answer_that_is_no_object_says_so(body: bytes) -> None:
    for wire in BACKENDS.values():
        assert wire.read_body("completions", body, {}).error


def test_the_kind_of_a_tgi_error_is_cut_like_its_words() -> None:
    reader = BACKENDS["tgi"].reader("native")

    reader.feed(b'{"error": "no", "error_type": {"text": "' + b"x" * 5000 + b'"}}')

    assert len(reader.answer.error or "") == 300
