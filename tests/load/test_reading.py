"""Which stamp a token event gets, and how many events had to share one."""

from harness.backends.openai_compat import OpenAiReader
from harness.load.wire.exchange import Exchange
from harness.load.wire.reading import Reading

TOKEN = b'data: {"choices": [{"text": "a"}]}\n\n'
ROLE = b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'


def read(*pieces: tuple[int, bytes]) -> Reading:
    reading = Reading(OpenAiReader(empty_is_token=False), arrivals=[])
    exchange = Exchange(status=200)
    for arrived_ns, piece in pieces:
        exchange.arrived_ns = arrived_ns
        reading.on_bytes(exchange, piece)
    return reading


def test_each_read_gives_its_events_the_stamp_of_its_last_segment() -> None:
    reading = read((10, TOKEN), (20, TOKEN + TOKEN + TOKEN), (35, TOKEN))

    assert reading.arrivals == [10, 20, 20, 20, 35]
    assert (reading.first_ns, reading.last_ns, reading.max_gap_ns) == (10, 35, 15)
    assert reading.shared_events == 3  # those of the second read


def test_events_that_carry_no_token_share_nothing() -> None:
    reading = read((10, b": note\n\n" + ROLE + TOKEN), (20, TOKEN + b"data: [DONE]\n\n"))

    assert reading.arrivals == [10, 20]
    assert reading.shared_events == 0


def test_an_event_in_two_pieces_came_with_its_end() -> None:
    reading = read((10, TOKEN[:9]), (20, TOKEN[9:]))

    assert reading.arrivals == [20]
