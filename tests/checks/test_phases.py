"""What is found about how a step ran, on the smallest step that earns it."""

from typing import Any

import pandas as pd
import pytest

from harness.checks.phases import phase_checks, stall_checks
from harness.rundir.of_step import LoadOfStep, Phases
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step
from harness.rundir.timeline import Stall
from harness.scenario import Scenario

CLOSED = Scenario.model_validate({"name": "t", "load": {"users": [4]}})
RAMP = Scenario.model_validate({"name": "t", "load": {"kind": "ramp", "start": 1, "end": 2}})
TRACE = Scenario.model_validate({"name": "t", "load": {"kind": "trace", "file": "t.csv"}})


def step(*, held_s: float | None = 1.0, per_s: float = 4.0, **more: Any) -> Step:
    """Four users from 0 to 10 s, the window from 2 s on, held until `held_s` after it."""
    spans = {
        name: WindowOfStep(start_s=a, end_s=b) for name, a, b in (("enter", 0, 1), ("warmup", 1, 2), ("window", 2, 10))
    }
    hold = None if held_s is None else WindowOfStep(start_s=10, end_s=10 + held_s)
    return Step(
        step=0, load=LoadOfStep(kind="closed", users=4), window=spans["window"], requests=32, requests_per_s=per_s,
        goodput_low=3.0, phases=Phases(**spans, hold=hold, **more),
    )  # fmt: skip


def rows(took_s: float = 1.0, n: int = 32, end_s: float | None = None) -> pd.DataFrame:
    """Requests that are due each quarter of a second from 2 s on; `end_s`: until their answer's end, where known."""
    due_s = [2 + k / 4 for k in range(n)]
    answered_s = [None if end_s is None else t + took_s + end_s for t in due_s]
    return pd.DataFrame({
        "scheduled_s": due_s, "sent_s": due_s, "finished_s": [t + took_s for t in due_s], "error": [None] * n,
        "answered_s": pd.Series(answered_s, dtype="float64"),
    })  # fmt: skip


def codes(one: Step, due: pd.DataFrame, work: Scenario = CLOSED) -> list[tuple[str, str]]:
    return [(found.code, found.level) for found in phase_checks(one, due, work)]


def test_a_step_that_ran_as_it_should_has_no_finding() -> None:
    assert codes(step(), rows()) == []  # 4 requests/s of 1 s each are 4 users


def test_a_hold_that_took_as_long_as_it_may_is_an_error_that_counts_what_it_cut() -> None:
    (found,) = phase_checks(step(held_s=600.0, bound=True, cut=3), rows(), CLOSED)

    assert (found.code, found.level) == ("hold_at_its_bound", "error")
    assert "held for 600 s" in found.message
    assert "3 requests were cut" in found.message


def test_a_hold_longer_than_its_step_is_a_warning() -> None:
    assert codes(step(held_s=10.5), rows()) == [("hold_longer_than_step", "warning")]
    assert codes(step(held_s=9.5), rows()) == []


@pytest.mark.parametrize(("per_s", "found"), [(3.7, True), (3.85, False), (4.15, False), (4.3, True)])
def test_users_are_the_rate_times_the_time_of_a_request(per_s: float, found: bool) -> None:
    assert (codes(step(per_s=per_s), rows()) == [("little_s_law", "warning")]) is found


def test_a_user_is_at_work_until_the_answers_end_behind_its_last_token() -> None:
    # 3.7 requests/s of 1 s are 3.7 users, of 1.08 s 4.0
    assert codes(step(per_s=3.7), rows(end_s=0.08)) == []
    assert codes(step(per_s=3.7), rows(end_s=0.0)) == [("little_s_law", "warning")]


def test_users_who_wait_for_a_rate_limit_are_not_held_to_that_law() -> None:
    assert list(phase_checks(step(per_s=1.0), rows(), CLOSED, is_rate_limited=True)) == []


def test_an_older_run_without_a_hold_is_not_held_to_that_law() -> None:
    assert codes(step(held_s=None, per_s=2.0), rows()) == []


def test_a_window_without_room_for_one_request_is_an_error() -> None:
    assert ("window_too_short", "error") in codes(step(per_s=0.44), rows(took_s=9.0))


@pytest.mark.parametrize(("verdict", "level"), [("not_judged", "warning"), ("yes", "error"), ("not_sure", "error")])
def test_a_short_window_of_few_tasks_is_a_warning_where_no_goodput_was_told(verdict: str, level: str) -> None:
    of_tasks = step(per_s=0.44).model_copy(update={"round": 1, "role": "attempts", "slo_verdict": verdict})

    assert ("window_too_short", level) in codes(of_tasks, rows(took_s=9.0))


@pytest.mark.parametrize("work", [CLOSED, RAMP, TRACE], ids=["step", "slice", "part"])
def test_a_window_is_not_too_short_for_a_queue(work: Scenario) -> None:
    queued = step().model_copy(update={"over_saturated": True})
    inherited = step().model_copy(update={"inherited_queue": True})

    assert ("window_too_short", "error") in codes(step(), rows(took_s=9.0), work)
    assert ("window_too_short", "error") not in codes(queued, rows(took_s=9.0), work)
    assert ("window_too_short", "error") not in codes(inherited, rows(took_s=9.0), work)


def test_requests_of_a_slice_that_end_in_the_next_one_are_counted() -> None:
    # 31 of 32 are due before 9.75 s: with 1 s each the last 4 and more end behind 10 s
    assert codes(step(), rows(), RAMP) == [("crossing_requests", "warning")]
    assert codes(step(), rows(took_s=0.2), RAMP) == []


def span(start_s: float, end_s: float) -> WindowOfStep:
    return WindowOfStep(start_s=start_s, end_s=end_s)


STALL = Stall(step=0, start_s=5.0, end_s=7.0, length_s=2.0, in_flight=4)
STEP = Step(
    step=0, load=LoadOfStep(kind="closed", users=4), window=span(3, 9), requests=20,
    phases=Phases(enter=span(0, 1), warmup=span(1, 3), window=span(3, 9), hold=span(9, 10)),
)  # fmt: skip


def test_a_stall_says_its_second_its_length_and_its_phase() -> None:
    (found,) = stall_checks(STEP, (STALL,))
    early = STALL.model_copy(update={"start_s": 1.5, "end_s": 8.0})
    (two,) = stall_checks(STEP, (early, STALL.model_copy(update={"length_s": 1.0})))

    assert found.message == (
        "at 4 users the server stalled for 2.0 s from second 5.0 of the run on: "
        "no token came for anyone, with 4 requests in flight"
    )
    assert two.message == (
        "at 4 users the server stalled for 2.0 s between seconds 1.5 and 8.0 of the run, in its warm-up: "
        "no token came for anyone, with 4 requests in flight; and 1 more time, 3.0 s together"
    )
    assert list(stall_checks(STEP.model_copy(update={"step": 1}), (STALL,))) == []
