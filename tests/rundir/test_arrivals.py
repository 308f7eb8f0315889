"""Stamps in flat arrays, worked by hand on three requests: a of three events, b of none, c of two."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from harness.rundir.arrivals import Arrivals
from harness.rundir.read import read_arrivals

LISTS = {"a": [1_000_000, 1_500_000, 2_500_000], "b": [], "c": [2_000_000, 2_000_000]}


def ids(*names: str) -> pa.Array:
    return pa.array(names, pa.string())


def test_every_request_is_found_in_any_order_and_strangers_are_not() -> None:
    assert list(Arrivals.of(LISTS).rows_of(ids("c", "x", "a"))) == [2, -1, 0]


def test_of_a_request_that_was_written_twice_the_last_row_counts() -> None:
    twice = Arrivals(ids("a", "a"), np.array([0, 1, 2]), np.array([5, 7]))

    assert list(twice.rows_of(ids("a"))) == [1]


def test_a_run_whose_requests_got_nothing_has_no_rows_and_no_gaps() -> None:
    nothing = Arrivals.of({})

    rows = nothing.rows_of(ids("a"))

    assert list(rows) == [-1]
    assert len(nothing.gaps_s(rows)) == 0
    assert np.isnan(nothing.tokens_between(rows, np.array([3.0]), 0, 9)).all()


def test_tokens_are_shared_out_by_events_and_the_end_is_not_in() -> None:
    # [1.5, 2.5) holds one of a's three events: 6 tokens -> 2; both of c's; nothing is known of b and x
    rows = np.array([0, 1, 2, -1])

    tokens = Arrivals.of(LISTS).tokens_between(rows, np.array([6.0, 4.0, 4.0, 4.0]), 1.5, 2.5)

    assert tokens == pytest.approx([2, np.nan, 4, np.nan], nan_ok=True)


def test_an_unknown_token_count_stays_unknown() -> None:
    tokens = Arrivals.of(LISTS).tokens_between(np.array([0]), np.array([np.nan]), 0, 9)

    assert np.isnan(tokens).all()


@pytest.mark.parametrize(("rows", "gaps_s"), [([0, 1, 2], [0.5, 1.0]), ([2], []), ([-1], []), ([1, 0], [0.5, 1.0])])
def test_gaps_are_within_a_request_and_none_is_zero(rows: list[int], gaps_s: list[float]) -> None:
    # from a's last (2.5) to c's first (2.0) is no gap; c's two came at once
    assert list(Arrivals.of(LISTS).gaps_s(np.array(rows))) == gaps_s


def test_a_request_without_events_between_two_hides_no_gap() -> None:
    lists = {"a": [], "b": [1_000_000, 3_000_000], "c": [], "d": [4_000_000, 4_250_000], "e": []}

    assert list(Arrivals.of(lists).gaps_s(np.arange(5))) == [2.0, 0.25]


def test_stamps_survive_the_file(tmp_path: Path) -> None:
    rows = [{"request_id": key, "arrival_us": stamps} for key, stamps in LISTS.items()]
    pd.DataFrame(rows).to_parquet(tmp_path / "arrivals.parquet", index=False)

    read = read_arrivals(tmp_path)

    assert read is not None
    assert {key: list(stamps) for key, stamps in read.by_request().items()} == LISTS


def test_a_run_without_arrivals_has_none(tmp_path: Path) -> None:
    assert read_arrivals(tmp_path) is None
