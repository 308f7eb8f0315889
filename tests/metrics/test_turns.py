"""Conversations turn by turn, on records that were written by hand."""

from typing import Any

import pytest

from harness.metrics.steps import compute_metrics
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.results import Step
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

STEP = RanStep(step=0, load=LoadOfStep(kind="closed", users=1), start_s=0.0, window_start_s=10.0, end_s=20.0)
SESSIONS = Scenario.model_validate({"name": "t", "prompts": {"kind": "sessions"}})


def row(n: int, turn: int | None, ttft_s: float, **more: Any) -> dict[str, Any]:
    sent_s = 10.0 + n
    return {
        "request_id": f"r{n}", "step": 0, "turn": turn, "scheduled_s": sent_s, "sent_s": sent_s,
        "first_token_s": sent_s + ttft_s, "finished_s": sent_s + 0.9, "prompt_tokens": 300, "output_tokens": 10,
    } | more  # fmt: skip


def measured(rows: list[dict[str, Any]], scenario: Scenario = SESSIONS) -> Step:
    return compute_metrics(typed(rows), [STEP], scenario).steps[0]


def test_each_turn_has_its_requests_lengths_and_first_tokens() -> None:
    step = measured([
        row(0, 0, 0.1, prompt_tokens=300, cached_tokens=0),
        row(1, 1, 0.2, prompt_tokens=640, cached_tokens=500),
        row(2, 0, 0.3, prompt_tokens=310, cached_tokens=100, output_tokens=30),
        row(3, 1, 0.2, error="timeout"),  # failed
        row(50, 3, 0.2),  # after the window
    ])  # fmt: skip

    assert step.turns is not None
    first, second = step.turns
    assert (first.turn, first.number, first.requests, first.entered) == (0, 1, 2, 0)
    assert (first.input_tokens, first.output_tokens, first.cached_tokens) == (305, 20, 50)
    assert (first.ttft_s.n, first.ttft_s.mean) == (2, pytest.approx(0.2))
    assert (second.turn, second.requests, second.input_tokens, second.cached_tokens) == (1, 1, 640, 500)
    assert second.ttft_s.p50 == pytest.approx(0.2)


def test_who_enters_a_conversation_counts_but_says_nothing_of_caches_and_first_tokens() -> None:
    step = measured([
        row(0, 2, 0.8, entered=True, cached_tokens=0),
        row(1, 2, 0.1, entered=False, cached_tokens=900),
    ])  # fmt: skip

    assert step.turns is not None
    (turn,) = step.turns
    assert (turn.requests, turn.entered, turn.cached_tokens) == (2, 1, 900)
    assert (turn.ttft_s.n, turn.ttft_s.mean) == (1, pytest.approx(0.1))


def test_a_server_that_tells_no_cached_tokens_leaves_them_unknown() -> None:
    (turn,) = measured([row(0, 0, 0.1)]).turns or ()

    assert turn.cached_tokens is None


def test_without_conversations_there_are_no_turns() -> None:
    assert measured([row(0, None, 0.1)], Scenario(name="t")).turns is None
