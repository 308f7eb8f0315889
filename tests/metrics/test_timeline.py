"""The run over time, in bins; expected values by hand."""

from typing import Any

import pytest

from harness.metrics.timeline import bin_for, timeline_of
from harness.metrics.windows import Stamps, columns
from harness.rundir.arrivals import Arrivals
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.steps import RanStep
from harness.rundir.timeline import Timeline

LOAD = LoadOfStep(kind="closed", users=1)
STEP = RanStep(step=0, load=LOAD, start_s=0.0, window_start_s=1.0, end_s=3.0, held_s=4.0)


def row(n: int, sent_s: float, first_s: float | None, finished_s: float | None, **more: Any) -> dict[str, Any]:
    return {
        "request_id": f"r{n}", "step": 0, "scheduled_s": sent_s, "sent_s": sent_s, "first_token_s": first_s,
        "finished_s": finished_s, "output_tokens": 11,
    } | more  # fmt: skip


def over_time(*rows: dict[str, Any], step: RanStep = STEP, arrivals: Arrivals | None = None) -> Timeline:
    data = columns(typed(rows), from_schedule=False)
    stamps = None if arrivals is None else Stamps(arrivals, arrivals.rows_of(data.request_id))
    found = timeline_of(data, [step], stamps, timeout_s=2.0)
    assert found is not None
    return found


def test_tokens_are_spread_evenly_from_the_first_to_the_last() -> None:
    # one at 0.5, ten over the two seconds to 2.5: 1 + 2.5 before second 1, 5 in the next, 2.5 up to 2.5
    found = over_time(row(0, 0.0, 0.5, 2.5))

    assert found.output_tokens_per_s == pytest.approx((3.5, 5.0, 2.5, 0.0))
    assert found.in_flight == pytest.approx((1.0, 1.0, 0.5, 0.0))


def test_arrivals_say_where_the_tokens_came() -> None:
    # 11 tokens in four events of 2.75 each: two in second 0, none in 1, two in 2
    arrivals = Arrivals.of({"r0": [500_000, 900_000, 2_100_000, 2_500_000]})

    assert over_time(row(0, 0.0, 0.5, 2.5), arrivals=arrivals).output_tokens_per_s == (5.5, 0.0, 5.5, 0.0)


def test_an_answer_without_arrivals_beside_one_with_them_is_spread() -> None:
    arrivals = Arrivals.of({"r1": [3_200_000]})

    found = over_time(row(0, 0.0, 0.5, 2.5), row(1, 3.0, 3.2, 3.2, output_tokens=1), arrivals=arrivals)

    assert found.output_tokens_per_s == pytest.approx((3.5, 5.0, 2.5, 1.0))


def test_tokens_of_a_whole_answer_come_at_its_end() -> None:
    assert over_time(row(0, 0.0, None, 2.5)).output_tokens_per_s == (0.0, 0.0, 11.0, 0.0)


def test_no_token_is_lost_and_none_counted_twice() -> None:
    # the last bin is the longer one: seconds 3 to 4.4
    step = STEP.model_copy(update={"held_s": 4.4})
    found = over_time(*(row(n, 0.1 * n, 0.1 * n + 0.07, 0.1 * n + 0.9) for n in range(30)), step=step)

    *whole, last = found.output_tokens_per_s
    assert found.end_s == 4.4
    assert sum(whole) + last * 1.4 == pytest.approx(30 * 11, abs=0.01)


def test_a_failure_is_counted_in_the_second_it_ended_in() -> None:
    found = over_time(row(0, 0.2, 0.5, 2.5, error="reset"), row(1, 1.2, None, None, error="http_500"))

    assert found.failed == (0, 1, 1, 0)


def test_a_request_that_timed_out_was_in_flight_until_then() -> None:
    # sent at 1.5, given up 2 s later
    assert over_time(row(0, 1.5, None, None, error="timeout")).in_flight == (0.0, 0.5, 1.0, 0.5)


def test_a_request_that_was_cut_was_in_flight_to_its_steps_end() -> None:
    found = over_time(row(0, 1.5, 2.0, 2.5, error="cut_at_end"))

    assert found.in_flight == (0.0, 0.5, 1.0, 1.0)
    assert found.failed == (0, 0, 0, 0)


def test_what_was_never_sent_is_nothing_to_draw() -> None:
    data = columns(typed([row(0, 1.0, None, None, error="not_sent") | {"sent_s": None}]), from_schedule=True)

    assert timeline_of(data, [STEP], None, timeout_s=2.0) is None


@pytest.mark.parametrize(
    ("length_s", "bin_s"), [(0.0, 1.0), (300.0, 1.0), (301.0, 2.0), (1000.0, 5.0), (3600.0, 20.0), (1e9, 5e6)]
)
def test_a_long_run_has_wider_bins(length_s: float, bin_s: float) -> None:
    assert bin_for(length_s) == pytest.approx(bin_s)
