"""One odd value costs at most one value: never a row, never a run."""

import json
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import DONE
from field import FieldServer, chunk, message, read, run, served, streamed, usage, whole, words

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
