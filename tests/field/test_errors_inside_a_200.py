"""An error under status 200 is a failure with the server's own words, in whatever form it comes."""

import json
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import DONE, Exchange, data
from field import END, FieldServer, chunk, read, run, served, whole, words

WORDS = "CUDA out of memory"


@pytest.mark.parametrize(
    "error",
    [
        {"object": "error", "message": WORDS, "type": "InternalServerError", "param": None, "code": 500},
        {"type": "error", "error": {"type": "overloaded_error", "message": WORDS}},
        {"error": True, "message": WORDS},
        {"error": {"message": WORDS}, "choices": []},
        {"code": 50002, "message": WORDS},
        {"status": "error", "msg": WORDS},
        {"detail": WORDS},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502, "message": WORDS}}]},
    ],
)
def test_an_error_is_one_whatever_it_calls_itself(error: dict[str, Any]) -> None:
    for came in (read(*words(3), data(error), DONE), read(data(error)), whole(error)):
        assert (came.error, came.detail) == ("error_event", WORDS)


@pytest.mark.parametrize("payload", [json.dumps({"message": WORDS, "type": "overloaded_error"}), WORDS])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_event_that_is_called_error_is_one_whatever_it_holds(payload: str, end: str) -> None:
    event = f"event: error{end}data: {payload}{end}{end}".encode()

    for pieces in ((*words(3), event, DONE), (event,), (event[:9], event[9:])):
        came = read(*pieces)
        assert (came.error, came.detail) == ("error_event", WORDS)


@pytest.mark.parametrize("nothing", [None, False, "", {}, []])
def test_an_error_that_is_none_is_none(nothing: object) -> None:
    assert read(*words(20, error=nothing), *END).error is None


def test_a_note_beside_a_whole_answer_is_no_error() -> None:
    note = data({"event": "queue", "message": "you are second in the queue"})

    assert read(note, *words(20), *END).error is None
    assert read(note, *words(3), DONE).error == "error_event"  # it was the last that was heard


def test_the_words_are_kept_where_the_connection_breaks_behind_them(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.stream([*words(3), data({"object": "error", "message": WORDS, "code": 500})])
        x.keeps_alive = False

    with FieldServer(post) as server:
        rows, found, _ = run(tmp_path, server)

    ended = served(rows)
    assert set(zip(ended["error"], ended["error_detail"], strict=True)) == {("error_event", WORDS)}
    assert WORDS in found["errors_over_limit"]["message"]


def test_a_named_event_of_another_name_is_data() -> None:
    assert read(*(b"event: message\n" + event for event in [*words(20), *END])).error is None


def test_the_end_is_read_beside_the_error_of_no_choice() -> None:
    assert read(*words(20), chunk(finish="stop", error=None), *END[1:]).error is None
