"""The warm-up of a step is found in its own requests, not only given."""

from typing import Any

import numpy as np
import pytest

from harness.checks.run import _steady
from harness.metrics.steady import marginal_standard_error, settle, warmup_length
from harness.metrics.steps import compute_metrics
from harness.rundir.of_step import LoadOfStep, Warmup
from harness.rundir.read import typed
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step
from harness.rundir.steps import RanStep
from harness.scenario import Scenario


def test_the_marginal_standard_error_is_the_spread_of_the_rest_by_its_length_squared() -> None:
    # 3 1 1 1: mean 1.5, deviations 2.25 + 3 x 0.25 = 3, over 16; without the 3 there is no spread; d stops at half
    assert marginal_standard_error(np.array([3.0, 1, 1, 1])) == pytest.approx([3 / 16, 0, 0])


def test_a_slow_beginning_is_found_to_its_last_batch() -> None:
    # 120 values in 24 batches of 5: the first 6 batches are 3, all others 1
    values = np.concatenate([np.full(30, 3.0), np.full(90, 1.0)])

    assert warmup_length(values) == 30


def test_a_steady_step_has_no_warmup() -> None:
    noise = np.random.default_rng(7).normal(1.0, 0.1, 600)

    assert warmup_length(noise) == 0


def test_a_change_that_chance_makes_as_well_is_not_taken_for_one() -> None:
    # the first batch is a little higher: 1.04 against 1, below 5 %
    values = np.concatenate([np.full(5, 1.04), np.full(115, 1.0)])

    assert warmup_length(values) == 0


def test_what_changes_all_the_time_settles_nowhere() -> None:
    assert warmup_length(np.linspace(1.0, 3.0, 200)) is None


def test_of_few_requests_nothing_is_said() -> None:
    few = np.concatenate([np.full(20, 3.0), np.full(79, 1.0)])

    assert settle(np.arange(99.0), few, np.ones(99), 0.0) == (0.0, None)


def test_requests_are_looked_at_in_the_order_they_were_due_and_per_token() -> None:
    # two tokens in 2 s and one token in 1 s cost the same; the first 30 that were due cost three times that
    tokens = np.tile([1.0, 2.0], 60)
    costs_s = np.concatenate([np.full(30, 3.0), np.full(90, 1.0)]) * tokens
    shuffled = np.random.default_rng(3).permutation(120)

    found = settle(np.arange(120.0)[shuffled] / 10, costs_s[shuffled], tokens[shuffled], 0.0)

    assert found == (3.0, True)  # the 31st was due at 30 / 10


STEP = RanStep(step=0, load=LoadOfStep(kind="closed", users=2), start_s=0.0, window_start_s=2.0, end_s=14.0)


def rows(slow: int) -> list[dict[str, Any]]:
    """120 requests, one each 0.1 s from 2.0 s on, of 10 tokens in 0.1 s; the first `slow` take 0.4 s."""
    out = []
    for n in range(120):
        sent_s = 2.0 + n / 10
        end_s = sent_s + (0.4 if n < slow else 0.1)
        out.append(
            {"request_id": f"r{n}", "step": 0, "attempt": 1, "scheduled_s": sent_s, "sent_s": sent_s,
             "first_token_s": sent_s + 0.01, "finished_s": end_s, "output_tokens": 10, "prompt_tokens": 5,
             "requested_output_tokens": 10, "token_source": "server", "events": 10, "clock": "kernel",
             "http_status": 200, "finish_reason": "length", "url": "u", "process": 1}
        )  # fmt: skip
    return out


def measured(slow: int) -> Step:
    scenario = Scenario.model_validate({"name": "t", "load": {"kind": "closed", "users": [2]}})
    frame = typed(rows(slow))
    (step,) = compute_metrics(frame, [STEP], scenario).steps
    return step


def test_the_window_begins_where_the_server_had_settled() -> None:
    step = measured(slow=30)

    # the 31st request was sent at 2.0 + 3.0 s: 5 s after the step's start, where 2 s were given
    assert step.window.to_dict() == {"start_s": pytest.approx(5.0), "end_s": 14.0}
    assert step.warmup.to_dict() == {"given_s": 2.0, "found_s": pytest.approx(5.0), "settled": True}
    assert step.e2e_s.p99 == pytest.approx(0.1)  # no slow one is in it
    (found,) = _steady(step)
    assert (found.code, found.level) == ("warmup_too_short", "warning")
    assert "settled 5.0 s after the step's start, 2.0 s of warm-up were given" in found.message
    assert "set load.warmup_s to 5" in str(found.hint)


def test_a_window_that_was_steady_from_its_start_stays_as_it_was_given() -> None:
    step = measured(slow=0)

    assert step.window == WindowOfStep(start_s=2.0, end_s=14.0)
    assert step.warmup == Warmup(given_s=2.0, found_s=2.0, settled=True)
    assert not list(_steady(step))


def test_a_step_that_settles_nowhere_is_said_to_and_keeps_its_window() -> None:
    step = measured(slow=70)

    assert step.window.start_s == 2.0
    assert step.warmup.settled is False
    assert [check.code for check in _steady(step)] == ["not_steady"]
