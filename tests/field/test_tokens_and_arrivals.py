"""TPOT is over the tokens that came after the first arrival, as far as that is known; else there is none."""

import time
from pathlib import Path

import pytest
from faulty_exchange import DONE, Exchange
from field import END, FieldServer, chunk, counted, read, run, served, usage, words


def bundle(start: int, count: int) -> bytes:
    return chunk("".join(f" w{n}" for n in range(start, start + count)))


@pytest.mark.parametrize(
    ("pieces", "share"),
    [
        (words(20), 19 / 20),  # a token an event
        ([bundle(0, 10), bundle(10, 10)], 10 / 20),  # ten an event
        ([b"".join(words(20)[n : n + 5]) for n in range(0, 20, 5)], 15 / 20),  # five events a read
        ([bundle(0, 5), b"".join(words(15))], 15 / 20),
    ],
)
def test_the_first_arrivals_tokens_are_left_out(pieces: list[bytes], share: float) -> None:
    assert read(*pieces, *END).reading.tpot_share() == pytest.approx(share, abs=0.07)


def test_a_first_token_on_its_own_before_bundles_is_one_token() -> None:
    # 1 token of 3 characters, then two of ten and one of nine: 3 of 103 characters
    came = read(chunk(" aa"), *[chunk(" aa" * 10)] * 2, chunk(" aa" * 9), *[chunk(finish="length"), counted(30), DONE])

    assert came.reading.tpot_share() == pytest.approx(29 / 30)


def test_a_server_that_counts_as_it_goes_is_taken_at_its_word() -> None:
    events = [chunk(" x" * n, usage={"completion_tokens": count}) for n, count in ((3, 8), (5, 14), (4, 20))]

    assert read(*events, chunk(finish="length"), DONE).reading.tpot_share() == pytest.approx(12 / 20)


def test_reasoning_that_was_never_sent_is_no_part_of_it() -> None:
    hidden = usage(completion_tokens=30, completion_tokens_details={"reasoning_tokens": 10})

    # 20 tokens were sent, 19 of them after the first: TPOT is over 19 of 30
    assert read(*words(20), chunk(finish="stop"), hidden, DONE).reading.tpot_share() == pytest.approx(19 / 30)


def test_reasoning_that_was_sent_is_part_of_it() -> None:
    thought = [chunk({"reasoning_content": f" t{n}"}) for n in range(10)]
    count = usage(completion_tokens=20, completion_tokens_details={"reasoning_tokens": 10})

    assert read(*thought, *words(10), chunk(finish="stop"), count, DONE).reading.tpot_share() == pytest.approx(19 / 20)


def test_of_several_choices_it_is_over_one() -> None:
    both = [
        b'data: {"choices": [{"index": %d, "delta": {"content": "a"}, "finish_reason": null}]}\n\n' % (n % 2)
        for n in range(40)
    ]

    # 40 tokens of two choices, 39 after the first: 19.5 a choice
    came = read(*both, chunk(finish="length"), counted(40), DONE)

    assert came.reading.tpot_share() == pytest.approx(39 / 40 / 2)
    assert came.answer.reply == "a" * 20


@pytest.mark.parametrize("piece", [b"".join(words(20)), bundle(0, 20)])
def test_a_stream_in_one_piece_has_none(piece: bytes) -> None:
    assert read(piece, *END).reading.tpot_share() == 0


@pytest.mark.parametrize("held", [11, 19])
def test_a_stream_of_which_most_was_held_back_has_none(held: int) -> None:
    assert read(b"".join(words(held)), *words(20 - held), *END).reading.tpot_share() == 0


def test_a_stream_of_which_half_was_held_back_has_that_of_the_other_half() -> None:
    assert read(b"".join(words(10)), *words(10), *END).reading.tpot_share() == pytest.approx(10 / 20)


def test_an_answer_in_a_few_pieces_is_said_to_have_their_ttft(tmp_path: Path) -> None:
    def in_fours(x: Exchange) -> None:
        x.head(transfer_encoding="chunked")
        for start in range(0, 20, 4):
            time.sleep(0.01)
            x.chunk(b"".join(words(20)[start : start + 4]))
        x.chunk(b"".join(END))
        x.end()

    with FieldServer(in_fours) as server:
        rows, found, step = run(tmp_path, server)

    assert set(served(rows)["first_events"]) == {4}
    assert "a few pieces, 4 of 20 events at once in the first" in found["one_piece"]["message"]
    assert step["tpot_s"]["p50"] >= 0.04 / 16  # 16 tokens in four pauses


def test_a_buffering_proxy_is_named_and_its_tpot_not_judged(tmp_path: Path) -> None:
    def buffered(x: Exchange) -> None:
        x.head(transfer_encoding="chunked")
        time.sleep(0.02)
        x.chunk(b"".join([*words(20), *END]))
        x.end()

    with FieldServer(buffered) as server:
        rows, found, step = run(tmp_path, server, slo={"tpot_p95_s": 0.5})

    assert len(served(rows)) >= 10
    assert step["tpot_s"]["n"] == 0
    assert (step["slo_met"], step["slo_verdict"]) == (None, "not_judged")
    assert step["goodput_requests_per_s"] == 0
    assert "proxy_buffering off" in found["one_piece"]["hint"]
    assert found["not_judged"]["level"] == "error"


def test_bundled_tokens_show_their_true_pace(tmp_path: Path) -> None:
    def bundled(x: Exchange) -> None:
        x.head(transfer_encoding="chunked")
        for start in (0, 10):
            time.sleep(0.1)
            x.chunk(bundle(start, 10))
        for event in END:
            x.chunk(event)
        x.end()

    with FieldServer(bundled) as server:
        _, found, step = run(tmp_path, server)

    assert step["tpot_s"]["p50"] >= 0.0095  # ten tokens in 100 ms; all but one of 20 would be 5.3 ms
    assert "one_piece" not in found
