"""What the SSE standard allows is read; what cannot be read is counted, kept as an example and named."""

from pathlib import Path

import pytest
from faulty_exchange import DONE
from field import END, FieldServer, chunk, counted, message, read, run, served, streamed, whole, words

from harness.load.wire.sse import SseParser

STREAM = b"".join([*words(20), *END])
OTHERWISE = {
    "cr": STREAM.replace(b"\n", b"\r"),
    "crlf": STREAM.replace(b"\n", b"\r\n"),
    "mark": b"\xef\xbb\xbf" + STREAM,
    "mark and cr": b"\xef\xbb\xbf" + STREAM.replace(b"\n", b"\r"),
    "single": STREAM.replace(b"\n\n", b"\n"),
    "single cr": STREAM.replace(b"\n\n", b"\r"),
    "named": STREAM.replace(b"data: ", b"event: message\nid: 1\ndata: "),
    "no last line": STREAM[:-2],
}


@pytest.mark.parametrize("how", OTHERWISE)
@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_other_line_ends_and_marks_read_alike_in_pieces_of_any_size(how: str, size: int) -> None:
    stream = OTHERWISE[how]

    came = read(*(stream[start : start + size] for start in range(0, len(stream), size)))

    assert (came.error, came.count, came.answer.unreadable) == (None, (20, "server"), 0)
    assert came.answer.token_events == 20
    assert came.answer.done


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_that_no_empty_line_ends_comes_when_its_line_does(end: bytes) -> None:
    parser = SseParser()

    came = [parser.feed(b'data: {"a":%d}' % n + end) for n in range(3)]

    assert came == [[b'{"a":0}'], [b'{"a":1}'], [b'{"a":2}']]


def test_an_object_over_several_lines_is_one_event() -> None:
    parser = SseParser()

    assert parser.feed(b'data: {"a":\ndata: {"b": 1},\n') == []
    assert parser.feed(b'data: "c": 2}\n\n') == [b'{"a":\n{"b": 1},\n"c": 2}']


@pytest.mark.parametrize("odd", [b"\\ud83d", b"\xf0\x9f", b"\xff"])
def test_broken_characters_cost_no_event(odd: bytes) -> None:
    last = chunk(" w@@", finish="length").replace(b"@@", odd)

    came = read(*words(19), last, counted(), DONE)

    assert (came.error, came.answer.unreadable, came.answer.token_events) == (None, 0, 20)
    assert came.answer.reply.endswith("\ufffd")


def test_a_nan_costs_nothing() -> None:
    came = read(*(event.replace(b"}]}", b'}], "lp": NaN}') for event in words(20)), *END)
    body = message("@")
    raw = str(body).replace("'", '"').replace('"@"', '"a\\ud83d", "lp": NaN').encode()

    assert (came.error, came.answer.token_events) == (None, 20)
    assert (whole(raw).error, whole(raw).answer.reply) == (None, "a\ufffd")


def test_what_cannot_be_read_is_counted_and_the_first_kept() -> None:
    came = read(b"data: {half\n\n", *words(20), b"data: [1]\n\n", b"data:\n\n", b'data: {"choices": [5]}\n\n', *END)

    assert (came.error, came.answer.unreadable, came.answer.example) == (None, 3, "{half")


def test_an_answer_without_an_end_names_what_could_not_be_read() -> None:
    came = read(*words(2), b"data: upstream connect error\n\n", DONE)

    assert came.error == "truncated"
    assert "1 of its events could not be read: upstream connect error" in (came.detail or "")


def test_a_run_names_them(tmp_path: Path) -> None:
    with FieldServer(streamed(b"data: {half\n\n", *words(20), *END)) as server:
        rows, found, _ = run(tmp_path, server)

    ended = served(rows)
    assert ended["error"].isna().all()
    assert set(ended["unreadable_events"]) == {1}
    assert "{half" in found["unreadable_events"]["message"]
