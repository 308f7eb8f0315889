from typing import Any

import numpy as np
import pytest

from harness.metrics.judging import run_goodput
from harness.metrics.steps import compute_metrics
from harness.metrics.windows import Window, columns, tokens_in_window
from harness.rundir.arrivals import Arrivals
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

STEP = RanStep(step=0, load=LoadOfStep(kind="closed", users=1), start_s=0.0, window_start_s=10.0, end_s=20.0)
SCENARIO = Scenario.model_validate({"name": "t", "slo": {"ttft_p50_s": 1.0, "tpot_p50_s": 0.2}})


def row(n: int, **more: Any) -> dict[str, Any]:
    """A good request of 11 tokens: sent at 10 + n, first token 0.5 s later, then one each 0.1 s."""
    sent_s = 10.0 + n
    return {
        "request_id": f"r{n}", "step": 0, "attempt": 1, "scheduled_s": sent_s - 0.25, "sent_s": sent_s,
        "first_token_s": sent_s + 0.5, "finished_s": sent_s + 1.5, "prompt_tokens": 100, "output_tokens": 11,
        "requested_output_tokens": 11, "token_source": "server", "events": 11, "clock": "kernel",
        "http_status": 200, "finish_reason": "length", "url": "u", "process": 1,
    } | more  # fmt: skip


def measured(rows: list[dict[str, Any]], scenario: Scenario = SCENARIO, **more: Any) -> Step:
    frame = typed(rows)
    return compute_metrics(frame, [STEP], scenario, **more).steps[0]


def judged(n: int, users: int, met: bool, rate: float) -> Step:
    return Step(
        step=n, load=LoadOfStep(kind="closed", users=users), window=WindowOfStep(start_s=0, end_s=1), requests=20,
        slo_met=met, goodput_requests_per_s=rate,
    )  # fmt: skip


def test_latencies_are_those_of_requests_scheduled_in_the_window() -> None:
    step = measured([row(-5), row(1), row(2), row(50)])

    assert step.requests == 2
    assert step.ttft_s.n == 2
    assert step.ttft_s.p50 == pytest.approx(0.5)
    assert step.e2e_s.p50 == pytest.approx(1.5)


def test_a_repeat_that_is_due_in_the_window_is_served_there_and_in_no_latency_nor_count() -> None:
    # two of 1.5 s each, one a failure's; a killed run's window goes on into its hold
    repeats = [row(4, request_id="a", repeat=True), row(6, request_id="b", repeat=True, error="reset")]

    step = measured([row(1), row(2), *repeats])

    assert (step.requests, step.failed, step.ttft_s.n) == (2, 0, 2)
    assert step.requests_per_s == pytest.approx(3 / 10)


def test_tpot_leaves_the_first_token_out() -> None:
    # 11 tokens: 10 gaps in the 1.0 s from first to last
    assert measured([row(1)]).tpot_s.mean == pytest.approx(0.1)


def test_a_request_of_one_token_has_no_tpot() -> None:
    step = measured([row(1, output_tokens=1)])

    assert step.tpot_s.n == 0
    assert step.ttft_s.n == 1


def test_the_schedule_lag_is_sent_minus_scheduled() -> None:
    assert measured([row(1)]).schedule_lag_s.mean == pytest.approx(0.25)


def test_an_open_loop_counts_from_the_schedule() -> None:
    frame = typed([row(1)])

    assert columns(frame, from_schedule=True).ttft_s[0] == pytest.approx(0.75)
    assert columns(frame, from_schedule=False).ttft_s[0] == pytest.approx(0.5)


def test_tokens_and_seconds_come_from_the_same_window() -> None:
    # request at 9: tokens at 9.5, 9.6 ... 10.5: six of eleven (10.0 .. 10.5) are in; request at 15: all eleven
    step = measured([row(-1), row(5)])

    assert step.output_tokens_per_s == pytest.approx((6 + 11) / 10)


@pytest.mark.parametrize(
    ("first", "finished", "tokens", "inside"),
    [(10, 20, 11, 10), (0, 9.9, 5, 0), (10, 10, 1, 1), (20, 30, 11, 0), (0, 30, 31, 10), (5, 15, 1001, 500)],
    ids=["end excluded", "before", "one token at the start", "at the end", "around", "half"],
)
def test_evenly_spread_tokens_are_counted_exactly(first: float, finished: float, tokens: int, inside: int) -> None:
    got = tokens_in_window(np.array([first]), np.array([finished]), np.array([tokens]), Window(10, 20))

    assert got[0] == pytest.approx(inside, abs=1)
    if tokens < 100:
        assert got[0] == inside


def test_tokens_of_a_whole_answer_arrive_at_its_end() -> None:
    got = tokens_in_window(np.array([np.nan]), np.array([15.0]), np.array([50.0]), Window(10, 20))

    assert got[0] == 50


def test_failed_requests_keep_their_row_and_give_no_tokens() -> None:
    step = measured([row(1), row(3, error="truncated", output_tokens=7)])

    assert (step.requests, step.failed) == (2, 1)
    assert step.output_tokens_per_s == pytest.approx(1.1)
    assert step.requests_per_s == pytest.approx(0.1)
    assert step.ttft_s.n == 1


def test_requests_cut_at_the_end_are_no_failures_but_their_tokens_count() -> None:
    step = measured([row(1), row(9, error="cut_at_end", finished_s=20.5)])

    assert (step.requests, step.failed) == (1, 0)
    # sent at 19, tokens at 19.5 and 19.6 ... 20.5 spread over 1.0 s: five lie before 20
    assert step.output_tokens_per_s == pytest.approx((11 + 5) / 10)


def test_input_tokens_count_at_the_first_token() -> None:
    # sent at 9.7, first token at 10.2: its prompt counts; sent at 19.7, first token at 20.2: it does not
    step = measured([row(0, sent_s=9.7, first_token_s=10.2), row(1, sent_s=19.7, first_token_s=20.2)])

    assert step.input_tokens_per_s == pytest.approx(10)


def test_a_missing_prompt_count_makes_the_input_rate_unknown() -> None:
    assert measured([row(1), row(2, prompt_tokens=None)]).input_tokens_per_s is None


def test_arrivals_give_itl_and_exact_window_counts() -> None:
    # arrivals at 9.9, 10.1, 10.4: two of three events are in; 3 tokens -> 2 in the window; gaps 0.2 and 0.3
    step = measured(
        [row(0, scheduled_s=10.0, output_tokens=3)], arrivals=Arrivals.of({"r0": [9_900_000, 10_100_000, 10_400_000]})
    )

    assert step.output_tokens_per_s == pytest.approx(0.2)
    assert step.itl_s.n == 2
    assert step.itl_s.mean == pytest.approx(0.25)


def test_events_read_at_once_are_one_arrival_and_no_zero_gaps() -> None:
    step = measured([row(1)], arrivals=Arrivals.of({"r1": [11_500_000, 11_500_000, 11_700_000]}))

    assert step.itl_s.n == 1
    assert step.itl_s.mean == pytest.approx(0.2)


def test_without_arrivals_there_is_no_itl() -> None:
    assert measured([row(1)]).itl_s is None


def test_goodput_counts_only_requests_within_every_limit() -> None:
    slow = row(4, first_token_s=15.5, finished_s=16.5)  # TTFT 1.5 s, limit 1.0
    step = measured([row(1), row(2), slow])

    assert step.requests_per_s == pytest.approx(0.3)
    assert step.goodput_requests_per_s == pytest.approx(0.2)


def test_fewer_than_ten_requests_decide_nothing() -> None:
    nine = measured([row(1 + n / 10) for n in range(9)])
    ten = measured([row(1 + n / 10) for n in range(10)])

    assert nine.slo_met is None
    assert ten.slo_met is True


def test_one_failure_in_fifty_breaks_a_limit_of_one_percent() -> None:
    rows = [row(1 + n / 10) for n in range(49)] + [row(5, error="timeout")]
    strict, lenient = (
        measured(rows, Scenario.model_validate({"name": "t", "slo": {"ttft_p50_s": 1, "error_rate": rate}}))
        for rate in (0.01, 0.02)
    )

    # one of fifty is over 1 %, but where one in a hundred fails, that happens in 39 % of all fifties
    assert (strict.slo_met, strict.slo_verdict) == (False, "not_sure")
    assert (lenient.slo_met, lenient.slo_verdict) == (True, "yes")


def test_a_failed_request_is_over_every_limit() -> None:
    work = Scenario.model_validate({"name": "t", "slo": {"ttft_p50_s": 1, "error_rate": 0.9}})

    step = measured([row(1 + n / 10) for n in range(9)] + [row(1, error="reset") for _ in range(12)], work)

    # 12 of 21 are over a median's limit, whatever the 9 that ended took
    assert (step.slo_met, step.limits["ttft_p50_s"].over, step.limits["ttft_p50_s"].n) == (False, 12, 21)


def test_the_window_begins_where_all_that_began_under_fewer_users_has_ended() -> None:
    entered = STEP.model_copy(update={"entered_s": 9.0})
    rows = [row(-2, finished_s=13.0), *[row(n / 4) for n in range(40)]]

    (step,) = compute_metrics(typed(rows), [entered], SCENARIO).steps
    (late,) = compute_metrics(typed([row(-2, finished_s=19.0), *rows]), [entered], SCENARIO).steps

    assert (step.window.start_s, step.window.end_s) == (13.0, 20.0)
    assert late.window.start_s == 15.0  # half of it is left in any case
    assert measured(rows).window.start_s == 10.0  # nobody was new
    assert step.warmup is not None
    assert step.warmup.given_s == 13.0  # it is no warm-up that somebody should have given


def test_an_unknown_latency_is_not_judged() -> None:
    step = measured([row(1 + n / 10, first_token_s=None) for n in range(40)])

    assert (step.slo_met, step.slo_verdict) == (None, "not_judged")


def test_goodput_is_that_of_the_highest_passing_step_below_the_first_failing_one() -> None:
    # AN-24: 0.6 passes, 0.9 does not; a step above that passes again does not count
    steps = [judged(0, 1, True, 0.2), judged(1, 2, True, 0.6), judged(2, 4, False, 0.9), judged(3, 8, True, 1.2)]

    goodput = run_goodput(steps, 0.01)

    assert goodput is not None
    assert (goodput.requests_per_s, goodput.step) == (0.6, 1)


def test_no_passing_step_is_infeasible_not_zero() -> None:
    assert run_goodput([judged(0, 1, False, 0.5)], 0.01) is None


def test_no_records_give_unknowns() -> None:
    step = measured([])

    assert step.requests == 0
    assert step.ttft_s.p99 is None
    assert step.slo_met is None


def test_without_latency_limits_it_is_failures_that_are_judged_from_ten_requests_on() -> None:
    batch = Scenario.model_validate({"name": "t", "slo": {"preset": "batch"}})
    ten = [row(1 + n / 10) for n in range(10)]

    assert measured(ten[:9], batch).slo_met is None
    assert measured(ten, batch).slo_met is True
    assert measured([*ten, *[row(3, error="timeout")] * 3], batch).slo_met is False
    assert measured([], batch).slo_met is None


def test_an_interval_is_never_finer_than_one_request_in_the_window() -> None:
    # back to back, 2 s each: every batch of 2 s holds just one request, no spread; a count's resolution is left
    rows = [row(n, sent_s=10.0 + n, first_token_s=10.5 + n, finished_s=12.0 + n) for n in range(-2, 10, 2)]
    step = measured(rows)

    assert step.goodput_requests_per_s == pytest.approx(0.5)  # ends at 10, 12, 14, 16, 18; 20 is outside
    # 1.96 / sqrt(12) of a request = 0.5658 of 5: 0.5 e^-0.11316 .. 0.5 e^0.11316
    assert step.goodput_low == pytest.approx(0.44650, abs=1e-5)
    assert step.goodput_high == pytest.approx(0.55991, abs=1e-5)


@pytest.mark.parametrize("failed_at", [None, 0.0, 7.0], ids=["no failure", "at its very start", "inside the slow part"])
def test_a_window_never_moves_past_a_failure_for_a_warm_up(failed_at: float | None) -> None:
    # 400 requests, one each 0.25 s from 10 s on: the first 84 take 3 s, the rest 1 s; one of the slow ones may fail
    def one(n: int) -> dict[str, Any]:
        sent_s = 10 + n / 4
        took_s, failed = (3.0 if n < 84 else 1.0), failed_at is not None and n == 4 * failed_at
        ends = {"error": "connect", "finished_s": None, "first_token_s": None} if failed else {}
        return row(n, scheduled_s=sent_s, sent_s=sent_s, finished_s=sent_s + took_s) | ends

    ran = STEP.model_copy(update={"end_s": 110.0})

    (step,) = compute_metrics(typed([one(n) for n in range(400)]), [ran], SCENARIO).steps

    assert step.window.start_s == (31.0 if failed_at is None else 10.0)
    assert step.failed == (0 if failed_at is None else 1)
    assert step.warmup is not None
    assert step.warmup.settled is (failed_at is None)


def test_a_window_does_not_wait_for_the_last_users_requests_past_a_failure() -> None:
    # the last user came at 12 s and all that was under way then ended by 14 s; one request due at 13 s fails
    entered = STEP.model_copy(update={"entered_s": 12.0})
    rows = [row(-1, finished_s=14.0), *(row(n) for n in range(2, 8))]
    fails = row(3, scheduled_s=13.0, sent_s=13.0, error="http_503", first_token_s=None, finished_s=13.1)

    (whole,) = compute_metrics(typed(rows), [entered], SCENARIO).steps
    (failing,) = compute_metrics(typed([*rows, {**fails, "request_id": "f"}]), [entered], SCENARIO).steps

    assert (whole.window.start_s, whole.failed) == (14.0, 0)
    assert (failing.window.start_s, failing.failed) == (10.0, 1)
