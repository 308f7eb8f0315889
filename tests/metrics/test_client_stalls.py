"""Where a load process stood still, by samples of client.parquet, worked by hand."""

from typing import Any

import pandas as pd
import pytest

from harness.metrics.client_stalls import ClientStall, client_stalls, in_step, voids
from harness.rundir.of_step import LoadOfStep, Phases
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step


def samples(*t_s: float, lag_s: float = 0.01, process: int = 1) -> list[dict[str, Any]]:
    return [{"t_s": t, "process": process, "loop_lag_max_s": lag_s} for t in t_s]


def step(start_s: float, end_s: float, held_s: float | None = None) -> Step:
    window = WindowOfStep(start_s=start_s, end_s=end_s)
    hold = None if held_s is None else WindowOfStep(start_s=end_s, end_s=held_s)
    phases = Phases(enter=window, warmup=window, window=window, hold=hold)
    return Step(step=0, load=LoadOfStep(kind="closed", users=1), window=window, requests=9, phases=phases)


def test_a_process_that_samples_each_second_did_not_stand_still() -> None:
    assert client_stalls(pd.DataFrame(samples(1.0, 2.02, 3.04, 4.2))) == ()
    assert client_stalls(pd.DataFrame()) == ()


def test_a_gap_between_two_samples_is_a_stall_without_the_second_that_a_sample_takes() -> None:
    (found,) = client_stalls(pd.DataFrame(samples(1.0, 2.0, 8.02)))

    assert (found.start_s, found.end_s) == pytest.approx((2.0, 8.02))
    assert found.length_s == pytest.approx(5.0)  # 6.02 - 1.02


def test_a_lag_of_the_loop_is_a_stall_though_the_samples_came_in_time() -> None:
    # the first sample has none before it; the second's lag is longer than what its gap shows
    rows = samples(1.0, 2.02, lag_s=0.4)

    assert [stall.length_s for stall in client_stalls(pd.DataFrame(rows))] == [0.4, 0.4]


def test_each_process_is_looked_at_by_itself() -> None:
    rows = samples(1.0, 2.0, 3.0, 4.0, 5.0) + samples(1.0, 5.0, process=2)

    (found,) = client_stalls(pd.DataFrame(rows))

    assert found.length_s == pytest.approx(4.0 - 1.02)


@pytest.mark.parametrize(
    ("start_s", "end_s", "held_s", "touched"),
    [
        (0.0, 4.0, None, False),  # before it
        (0.0, 4.0, 5.5, True),  # in its hold: requests of the window end there
        (6.0, 9.0, None, True),
        (11.0, 20.0, None, False),  # after it
    ],
)
def test_a_stall_touches_the_steps_whose_window_or_hold_it_may_lie_in(
    start_s: float, end_s: float, held_s: float | None, touched: bool
) -> None:
    stall = ClientStall(start_s=5.0, end_s=10.0, length_s=4.0)

    assert in_step(step(start_s, end_s, held_s), [stall]) == ([stall] if touched else [])


@pytest.mark.parametrize(
    ("lengths_s", "window_s", "is_void"),
    [
        ([0.9], 20.0, False),
        ([1.0], 600.0, True),
        ([0.5, 0.5], 20.0, True),  # 1 s, 5 % of the window
        ([0.5, 0.5], 40.0, False),  # 5 % of 40 s are 2 s
    ],
)
def test_a_second_at_once_or_a_twentieth_of_the_window_voids_a_step(
    lengths_s: list[float], window_s: float, is_void: bool
) -> None:
    stalls = [ClientStall(1.0, 3.0, length_s) for length_s in lengths_s]

    assert voids(step(0.0, window_s), stalls) is is_void
