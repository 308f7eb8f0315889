"""Times and counts that cannot be are unknown, and say so."""

import math
from typing import Any

import pandas as pd
import pytest

from harness.checks.impossible import without_impossible

ROW: dict[str, Any] = {
    "scheduled_s": 1.0,
    "sent_s": 1.0,
    "headers_s": 1.1,
    "first_token_s": 1.5,
    "finished_s": 2.0,
    "answered_s": 2.1,
    "max_gap_s": 0.1,
    "tpot_share": 1.0,
    "server_queue_s": 0.1,
    "server_prefill_s": 0.3,
    "server_decode_s": 0.5,
    "server_total_s": 0.9,
    "prompt_tokens": 800,
    "cached_tokens": None,
    "output_tokens": 250,
    "requested_output_tokens": 250,
    "error": None,
}


def frame(*changes: dict[str, Any]) -> pd.DataFrame:
    rows = pd.DataFrame([{**ROW, **change} for change in changes])
    counts = ("prompt_tokens", "cached_tokens", "output_tokens", "requested_output_tokens")
    return rows.astype(dict.fromkeys(counts, "Int64") | {"error": "string"})


def test_what_can_be_stays_as_it_is_and_finds_nothing() -> None:
    records = frame({}, {"error": "timeout", "finished_s": None}, {"first_token_s": None})

    clean, found = without_impossible(records)

    assert clean is records
    assert found == []


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"finished_s": -1.0}, {"first_token_s", "finished_s"}),  # the end before the first token: which is wrong?
        ({"finished_s": 1.2}, {"first_token_s", "finished_s"}),
        ({"finished_s": math.inf}, {"finished_s"}),
        ({"finished_s": 1e300}, {"finished_s"}),
        ({"first_token_s": -1.0}, {"first_token_s"}),
        ({"first_token_s": None, "finished_s": 0.5}, {"finished_s"}),
        ({"sent_s": -1.0}, {"sent_s"}),
        ({"server_queue_s": math.inf}, {"server_queue_s"}),
        ({"max_gap_s": -1.0}, {"max_gap_s"}),
        ({"answered_s": -1.0}, {"answered_s"}),
        ({"output_tokens": -5}, {"output_tokens"}),
        ({"prompt_tokens": 2**62}, {"prompt_tokens"}),
    ],
    ids=lambda given: str(sorted(given) if isinstance(given, set) else given),  # the same in every process
)
def test_what_cannot_be_is_unknown_in_its_own_row(change: dict[str, Any], unknown: set[str]) -> None:
    clean, found = without_impossible(frame({}, change))

    empty = {name for name in ROW if pd.isna(clean[name][1])} - {"error", "cached_tokens"}
    assert empty == unknown | {name for name, value in change.items() if value is None}
    assert clean.iloc[0].equals(frame({}).iloc[0])
    assert [(f.code, f.level) for f in found] == [("impossible_values", "error")]


def test_the_finding_counts_requests_and_columns() -> None:
    _, found = without_impossible(frame({}, {"sent_s": -1.0, "output_tokens": -1}, {"sent_s": -1.0}))

    assert found[0].message.startswith("2 of 3 requests have times or counts that cannot be (")
    assert "2x sent_s" in found[0].message
    assert "1x output_tokens" in found[0].message


def test_an_answer_without_an_end_is_one_too() -> None:
    _, found = without_impossible(frame({"finished_s": None}, {"finished_s": None, "error": "cut_at_end"}))

    assert found[0].message.startswith("1 of 2 requests have times")
