"""Lines between a run's parent and its load processes: a message is a type, anything else costs only itself."""

import pytest
from load_helpers import A_LIVE, scenario

from harness.load.lines import Malformed, encode
from harness.load.plan import Learned, LoadPlan
from harness.load.protocol import (
    Begin,
    Broken,
    ClockFacts,
    CutStep,
    Done,
    End,
    Failed,
    Held,
    Holding,
    Identified,
    Idle,
    Joined,
    Left,
    Looked,
    Ready,
    Rest,
    RunSteps,
    Unfit,
    Who,
    command_of,
    event_of,
)
from harness.rundir.identity import Identity, SaidCount, Via
from harness.scenario import ClosedLoad, OpenLoad
from harness.scenario.steps import planned_steps

CLOCK = ClockFacts(error_s=0.001, moved_s=None, moved_error_s=None, echoes=20)
PLAN = LoadPlan(
    run_dir="r", run_id="i", salt="s", scenario=scenario().model_dump(mode="json"), base_dir=".",
    urls=["http://127.0.0.1:1"],
    backend="vllm", model=None, started_monotonic_ns=5, learned=Learned("vllm", "m", None, ["a"], 1, exact=True),
)  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        A_LIVE, Ready(), Holding(2, 7), Held(2), Idle(3), Done(interrupted=True), Broken("the sampler", "boom"),
        Left("signal 9", CLOCK),
        Identified(Identity(engine="tgi", context=SaidCount(value=2048, said_by="/info")), ["m"], "m", {"sha": None}),
        Looked(0.25, Via(server="uvicorn", added_ms=8.1)), Unfit("too long", "shorter"),
        Failed("cannot", 2, hint="do"), Joined(Who("1", "box", None, "3.11", {"levels": []}), CLOCK),
    ],
    ids=lambda event: type(event).__name__,
)  # fmt: skip
def test_an_event_comes_out_as_it_went_in(event: object) -> None:
    assert event_of(encode(event)) == event


@pytest.mark.parametrize(
    "command",
    [
        Begin(PLAN, {"0-a.csv": "/d/a.csv"}), CutStep(), Rest(), End(),
        RunSteps(planned_steps(ClosedLoad(users=[2])), 3.25),
        RunSteps(planned_steps(OpenLoad(kind="open", requests_per_s=[2.5])), 3.25, order=2),
    ],
    ids=lambda command: type(command).__name__,
)  # fmt: skip
def test_a_command_comes_out_as_it_went_in(command: object) -> None:
    assert command_of(encode(command)) == command


@pytest.mark.parametrize(
    "line",
    [
        b"", b"hello, says a library", b"[]", b"{}", b"none {}", b"idle", b"idle {}", b'idle {"order": "first"}',
        b"end {}", encode(A_LIVE)[:-20],
    ],
)  # fmt: skip
def test_what_is_no_event_says_so(line: bytes) -> None:
    with pytest.raises(Malformed):
        event_of(line)


def test_a_key_that_a_later_version_says_is_left_out() -> None:
    assert event_of(b'idle {"order": 1, "more": true}') == Idle(1)
