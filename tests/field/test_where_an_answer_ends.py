"""`[DONE]` ends a stream, whatever HTTP does after it; a server that never says why it ended is still served."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_exchange import DONE, Exchange
from field import END, FieldServer, chunk, counted, read, run, served, words


def stays_open(x: Exchange) -> None:
    x.stream([*words(20), *END])
    x.wait_for_client()


def closes(x: Exchange) -> None:
    x.stream([*words(20), *END])
    x.keeps_alive = False


def ends_in_rubbish(x: Exchange) -> None:
    x.stream([*words(20), *END])
    x.sock.sendall(b"zz\r\nno chunk at all\r\n")
    x.keeps_alive = False


@pytest.mark.parametrize("post", [stays_open, closes, ends_in_rubbish])
def test_what_http_does_after_the_end_mark_does_not_matter(tmp_path: Path, post: Callable[[Exchange], None]) -> None:
    with FieldServer(post) as server:
        rows, _, _ = run(tmp_path, server)

    ended = served(rows)
    assert len(ended) > 4  # nobody waited for a time-out
    assert ended["error"].isna().all()
    assert set(ended["output_tokens"]) == {20}


def test_an_answers_end_is_its_end_mark_however_long_after_its_last_token(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.stream(words(20))
        time.sleep(0.1)  # the token that ends it has no text
        for event in END:
            x.chunk(event)
        x.wait_for_client()

    with FieldServer(post) as server:
        rows, _, _ = run(tmp_path, server)

    ended = served(rows)
    assert (ended["answered_s"] - ended["finished_s"] >= 0.1).all()
    assert (ended["finished_s"] - ended["first_token_s"]).max() < (ended["answered_s"] - ended["first_token_s"]).min()
    assert rows[rows["error"] == "cut_at_end"]["answered_s"].isna().all()


def test_a_connection_that_is_ended_well_is_kept(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.stream([*words(20), *END])  # a millisecond, then HTTP's end
        x.end()

    with FieldServer(post) as server:
        accepted = []
        process = server.process_request
        server.process_request = lambda *of: (accepted.append(1), process(*of))[1]  # type: ignore[method-assign]
        rows, _, _ = run(tmp_path, server)

    assert len(accepted) < len(rows) / 2


def test_without_an_end_mark_an_open_response_is_a_timeout_that_says_all_had_come(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.stream([*words(20), chunk(finish="length"), counted()])
        x.wait_for_client()

    with FieldServer(post) as server:
        rows, _, _ = run(tmp_path, server, request={"timeout_s": 0.3, "api": "chat"})

    ended = served(rows)
    assert set(ended["error"]) == {"timeout"}
    assert "all of it had come" in ended["error_detail"].iloc[0]


def test_text_usage_and_an_end_mark_are_served_without_a_finish_reason_and_said(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.stream([*words(20), counted(), DONE])
        x.end()

    with FieldServer(post) as server:
        rows, found, _ = run(tmp_path, server)

    assert served(rows)["error"].isna().all()
    assert "never said why they ended" in found["no_finish_reason"]["message"]


def test_without_a_count_or_without_an_end_mark_it_broke_off() -> None:
    assert read(*words(20), DONE).error == "truncated"  # llama-cpp-python, interrupted
    assert read(*words(20), counted()).error == "truncated"
    assert read(*words(20), b'data: {"choices": [{"delta": {}, "finish_reason": ""}]}\n\n').error == "truncated"


def test_an_end_mark_after_nothing_is_no_answer() -> None:
    came = read(DONE)

    assert (came.error, came.detail) == ("no_tokens", "nothing came before the end mark")
