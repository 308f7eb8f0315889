"""An answer that the server gave up ends like any other, with HTTP 200 and `[DONE]`: it is a failure with a name."""

from pathlib import Path

import pytest
from faulty_exchange import DONE, Exchange
from field import FieldServer, chunk, counted, message, read, run, served, usage, whole, words


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("abort", "aborted"), ("error", "aborted"), ("cancelled", "aborted"),
        ("insufficient_system_resource", "aborted"), ("a word nobody knows", "aborted"),
        ("content_filter", "filtered"), ("SAFETY", "filtered"),
    ],
)  # fmt: skip
def test_a_bad_end_is_a_failure_that_says_which_end_it_was(word: str, error: str) -> None:
    came = read(*words(2), chunk(finish=word), counted(2), DONE)

    assert came.error == error
    assert came.detail == f"ended with `{word}` after 2 of 20 tokens"


@pytest.mark.parametrize(
    "word", ["stop", "eos_token", "stop_sequence", "tool_calls", "function_call", "end_turn", "COMPLETE"]
)
def test_an_answer_that_stopped_by_itself_is_served_however_short(word: str) -> None:
    assert read(*words(2), chunk(finish=word), counted(2), DONE).error is None


@pytest.mark.parametrize(("tokens", "error"), [(1, "short"), (19, "short"), (20, None), (21, None)])
def test_length_with_fewer_tokens_than_asked_is_short(tokens: int, error: str | None) -> None:
    came = read(*words(tokens), chunk(finish="length"), counted(tokens), DONE)

    assert came.error == error
    assert error is None or came.detail == f"ended with `length` after {tokens} of 20 tokens"


def test_where_nobody_counts_the_text_itself_shows_that_it_is_short() -> None:
    # " w0" is 3 bytes, so no more than 3 tokens; 20 words may be 20
    assert read(*words(1), chunk(finish="length"), DONE).error == "short"
    assert read(*words(20), chunk(finish="length"), DONE).error is None


def test_an_answer_in_one_piece_is_judged_alike() -> None:
    assert whole(message("a b", "abort")).error == "aborted"
    assert whole(message("a b", usage={"completion_tokens": 2})).error == "short"
    assert whole(message("a b", "stop", usage={"completion_tokens": 2})).error is None


def test_the_bad_end_of_one_choice_is_not_undone_by_another() -> None:
    second = b'data: {"choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}\n\n'

    assert read(*words(2), chunk(finish="abort"), second, usage(completion_tokens=4), DONE).error == "aborted"


def test_aborted_answers_are_no_goodput_and_the_run_says_so(tmp_path: Path) -> None:
    def every_second_is_given_up(x: Exchange) -> None:
        n, word = (2, "abort") if x.count % 2 else (20, "length")
        x.stream([*words(n), chunk(finish=word), counted(n), DONE])
        x.end()

    with FieldServer(every_second_is_given_up) as server:
        rows, found, step = run(tmp_path, server)

    ended = served(rows)
    assert set(ended["error"].dropna()) == {"aborted"}
    assert ended["error"].isna().any()
    assert step["failed"] > 0
    assert step["slo_met"] is not True
    assert "`abort`" in found["ended_early_by_server"]["message"]
    assert "after 2 of 20 tokens" in found["errors_over_limit"]["message"]


def test_the_users_own_body_says_how_many_were_asked(tmp_path: Path) -> None:
    from load_helpers import records_of, run_load, scenario

    with FieldServer(lambda x: (x.stream([*words(3), chunk(finish="length"), counted(3), DONE]), x.end())[0]) as server:
        measured = run_load(
            tmp_path, server.base_url, backend="openai", extra_body={"max_tokens": 3},
            work=scenario(request={"timeout_s": 1.0, "api": "chat"}),
        )  # fmt: skip

    rows = served(records_of(measured))
    assert rows["error"].isna().all()
    assert set(rows["requested_output_tokens"]) == {3}
