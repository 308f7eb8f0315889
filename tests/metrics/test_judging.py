import pytest

from harness.metrics.judging import judged_by_own_load, run_goodput
from harness.rundir.of_step import LoadOfStep
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step


def part(n: int, per_s: float, *, met: bool, queue: int = 0) -> Step:
    """A part of a log or a slice of a ramp that served its load, or 20 requests/s."""
    served = min(per_s, 20.0)
    return Step(
        step=n, load=LoadOfStep(kind="trace", requests_per_s=per_s),
        window=WindowOfStep(start_s=10 * n, end_s=10 * n + 10),
        requests=200, slo_met=met, slo_verdict="yes" if met else "no", queue_at_start=queue,
        goodput_requests_per_s=served, goodput_low=served - 0.5, goodput_high=served + 0.5,
    )  # fmt: skip


def judged(*parts: Step) -> tuple[list[Step], Metrics]:
    steps = judged_by_own_load(parts)
    return steps, Metrics(steps=tuple(steps), goodput=run_goodput(steps, 0.01))


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_goodput_of_a_log_goes_by_the_loads_of_its_parts_and_not_by_their_time(order: tuple[int, ...]) -> None:
    parts = [part(0, 1.0, met=True), part(1, 19.4, met=True), part(2, 40.0, met=False), part(3, 1.5, met=True)]

    _, metrics = judged(*(parts[i] for i in order))

    assert metrics.goodput is not None
    assert (metrics.goodput.requests_per_s, metrics.goodput.step) == (19.4, 1)


def test_a_part_that_fails_under_the_queue_of_a_heavier_one_is_not_judged() -> None:
    # 40/s leave a queue, under which 1/s fails; the part of 19.4/s came before
    parts = (part(0, 19.4, met=True), part(1, 40, met=False), part(2, 1, met=False, queue=150), part(3, 2, met=True))

    steps, metrics = judged(*parts)

    assert [step.verdict for step in steps] == ["yes", "no", "not_judged", "yes"]
    assert [step.inherited_queue for step in steps] == [False, False, True, False]
    assert metrics.goodput is not None
    assert metrics.goodput.requests_per_s == 19.4


def test_the_queue_of_a_lighter_load_is_a_parts_own() -> None:
    # in a rising ramp the first slice that cannot keep up hands its queue on to heavier ones, which fail by themselves
    steps, metrics = judged(part(0, 10, met=True), part(1, 25, met=False), part(2, 35, met=False, queue=50))

    assert [step.verdict for step in steps] == ["yes", "no", "no"]
    assert metrics.goodput is not None
    assert metrics.goodput.requests_per_s == 10


def test_a_ramp_that_falls_has_no_goodput_where_its_slices_began_with_a_queue() -> None:
    # 20/s can be served; the queue of 38 and 30 is gone before the slice of 6: between 6 and 38 nothing was seen
    falling = [part(0, 38, met=False)]
    falling += [part(n, load, met=False, queue=90) for n, load in enumerate((30, 22, 14, 10), start=1)]

    steps, metrics = judged(*falling, part(5, 6, met=True), part(6, 2, met=True))

    assert metrics.goodput is None
    assert not metrics.is_judged
    assert metrics.why_not_judged == "4 of 7 steps began with the queue of a heavier one"
    assert sum(step.inherited_queue for step in steps) == 4


def test_a_ramp_that_falls_has_a_goodput_where_no_queue_was_left_over() -> None:
    _, metrics = judged(part(0, 24, met=False), part(1, 18, met=True), part(2, 12, met=True), part(3, 6, met=True))

    assert metrics.goodput is not None
    assert (metrics.goodput.requests_per_s, metrics.goodput.at_least) == (18, False)


def test_a_part_that_keeps_its_limits_under_anothers_queue_has_kept_them() -> None:
    steps, metrics = judged(part(0, 24, met=False), part(1, 18, met=True, queue=5))

    assert [step.verdict for step in steps] == ["no", "yes"]
    assert metrics.goodput is not None
    assert metrics.goodput.requests_per_s == 18
