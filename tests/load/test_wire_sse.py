import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.wire.sse import SseParser

STREAM = (
    b": keep-alive\n\n"
    b'data: {"a": 1}\n\n'
    b'data:{"b": "\xc3\xa9\xf0\x9f\x98\x80"}\r\n\r\n'
    b"event: message\nid: 7\ndata: one\ndata: two\n\n"
    b":\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a": 1}', '{"b": "é😀"}'.encode(), b"one\ntwo", b"[DONE]"]


def test_all_events_come_out_of_one_piece() -> None:
    assert SseParser().feed(STREAM) == EVENTS


def test_events_may_be_split_at_every_byte() -> None:
    parser = SseParser()

    found = [event for byte in STREAM for event in parser.feed(bytes([byte]))]

    assert found == EVENTS


@pytest.mark.parametrize("seed", range(20))
def test_events_may_be_split_anywhere(seed: int) -> None:
    rng = random.Random(seed)
    parser, found, rest = SseParser(), [], STREAM

    while rest:
        size = rng.randint(1, 9)
        found += parser.feed(rest[:size])
        rest = rest[size:]

    assert found == EVENTS


def test_an_event_without_its_empty_line_comes_out_when_the_stream_closes() -> None:
    parser = SseParser()

    assert parser.feed(b"data: last\n") == []
    assert parser.close() == [b"last"]


def test_a_line_without_its_end_comes_out_when_the_stream_closes() -> None:
    parser = SseParser()

    assert parser.feed(b"data: last") == []
    assert parser.close() == [b"last"]
    assert parser.close() == []


def test_only_one_space_after_the_colon_is_dropped() -> None:
    assert SseParser().feed(b"data:  two spaces\n\n") == [b" two spaces"]


def test_comments_and_empty_lines_are_no_events() -> None:
    assert SseParser().feed(b":\n\n\n: ping\r\n\r\nretry: 3\n\n") == []


LINES = st.sampled_from(
    [b"data: a", b"data: ", b"data:b", b"data", b" data: c", b": note", b"id: 7", b"", b"", b"", b"data: d\re"]
)
ENDS = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b""])


@given(st.lists(st.lists(st.tuples(LINES, ENDS), max_size=6), max_size=4))
def test_whole_pieces_give_what_single_bytes_give(pieces: list[list[tuple[bytes, bytes]]]) -> None:
    joined = [b"".join(line + end for line, end in piece) for piece in pieces]
    whole, single = SseParser(), SseParser()

    by_piece = [event for piece in joined for event in whole.feed(piece)] + whole.close()
    by_byte = [event for byte in b"".join(joined) for event in single.feed(bytes([byte]))] + single.close()

    assert by_piece == by_byte
