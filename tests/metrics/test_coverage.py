"""A small, seeded part of benchmarks/coverage.py, and the engine in virtual time that it stands on."""

import numpy as np
import pytest

from benchmarks.coverage import LADDERS, STEPS, ladder_row, step_row
from benchmarks.coverage_search import SEARCHES, search_row
from benchmarks.virtual_engine import Engine, Load, Work, serve


def case(name: str):
    return next(one for one in (*STEPS, *LADDERS) if one.name == name)


@pytest.mark.parametrize(
    "name",
    [
        "varied",
        "heavy-tailed",
        "open",
        "varied, drift 6 %, 20 s",
        "equal, drift 12 %, 30 s",
        "equal, long, drift 6 %, 20 s",
    ],
)
def test_a_steps_interval_holds_the_truth_about_as_often_as_it_says(name: str) -> None:
    row = step_row(case(name), runs=200, long_s=5_000.0)

    assert row.held >= row.least
    assert row.half <= 1.5 * row.ideal


@pytest.mark.parametrize("name", ["ladder, long", "ladder, limit just kept"])
def test_a_runs_interval_holds_the_truth_about_as_often_as_it_says(name: str) -> None:
    row = ladder_row(case(name), runs=25, long_s=5_000.0)

    assert row.held >= 0.88
    assert row.right is not None
    assert row.right >= 0.8


@pytest.mark.parametrize("search", SEARCHES[:-2], ids=lambda search: search.name)
def test_a_search_finds_the_right_load_in_few(search) -> None:
    # 20 seeded runs each; halving took 10 loads for 20 of 1 to 64 users
    row = search_row(search, runs=20, seed=7, long_s=10_000.0)

    assert row.found >= 0.85
    assert row.loads <= search.most_loads


def test_slots_that_are_taken_let_the_next_wait() -> None:
    one_at_a_time = Engine(iteration_s=0.010, running_s=0.0, prompt_token_s=0.0, noise=0.0, slots=1)

    two = serve(one_at_a_time, Work("equal", output_tokens=5), Load(users=2, enter_s=0.0), 1.0, (1,))

    # 50 ms each in turn: who has ended waits for the other
    assert np.diff(two.finished_s[:10]) == pytest.approx(0.05)
    assert (two.first_s - two.sent_s)[2:10] == pytest.approx(0.06)


def test_a_request_takes_its_prompts_iteration_and_one_for_each_further_token() -> None:
    engine = Engine(iteration_s=0.010, running_s=0.002, prompt_token_s=0.001, noise=0.0)

    alone = serve(engine, Work("equal", output_tokens=5, prompt_tokens=8), Load(users=1, enter_s=0.0), 1.0, (1,))

    # first token after 12 + 8 ms, four more of 12 ms each: 68 ms, and the next is sent at once
    assert np.diff(alone.sent_s) == pytest.approx(0.068)
    assert alone.first_s - alone.sent_s == pytest.approx(0.020)
    assert alone.finished_s[0] - alone.sent_s[0] == pytest.approx(0.068)


def test_a_load_is_held_until_all_that_was_sent_in_time_has_ended() -> None:
    held = serve(Engine(), Work("heavy"), Load(users=8), 20.0, (2,))

    assert not np.isnan(held.finished_s[held.sent_s < 20.0]).any()
    assert (held.sent_s >= 20.0).sum() >= 1
