"""What is found on how a step ran."""

from harness.checks.phases import stall_checks
from harness.rundir.results import LoadOfStep, Phases, Stall, Step, WindowOfStep


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
