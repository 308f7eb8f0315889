"""What a measurement cannot say, it does not decide."""

from typing import Any

import pytest
from cost_cases import manifest, metrics, smallest

from harness.cost.verdict import build_decision
from harness.rundir.decision import Decision
from harness.rundir.results import Goodput, Metrics


def decided(goodput: Goodput | None, volume: float | None = None, **steps: Any) -> Decision:
    base = metrics()
    changed = tuple(step.model_copy(update=steps) for step in base.steps)
    demand = smallest() if volume is None else smallest().model_copy(update={"tasks_per_month": volume})
    return build_decision(manifest(), Metrics(steps=changed, goodput=goodput), demand, [])


def test_a_box_that_was_not_filled_loses_to_nobody() -> None:
    # at 0.01 requests/s a full box never pays; how much more it could serve nobody has seen
    got = decided(Goodput(requests_per_s=0.01, low=0.009, step=0, at_least=True))

    for arm in got.arms:
        assert (arm.decided, arm.decision.verdict) == (False, None)
        assert arm.why_not is not None
        assert "the box was not filled" in arm.why_not
        assert arm.sentence == f"Not decided: {arm.why_not}."
        assert arm.sensitivity is None
        assert arm.monte_carlo is None


def test_a_box_that_was_not_filled_but_pays_already_is_decided() -> None:
    got = decided(Goodput(requests_per_s=50.0, low=49.0, step=0, at_least=True))

    assert [(arm.decided, arm.decision.verdict) for arm in got.arms] == [(True, "yes")] * 3


def test_at_a_volume_that_no_capacity_helps_the_winner_stands() -> None:
    # 10 tasks a month cost an API cents and a box its whole month, however fast it is
    got = decided(Goodput(requests_per_s=50.0, low=49.0, step=0, at_least=True), volume=10)

    assert {(arm.decided, arm.decision.at_volume.winner) for arm in got.arms if arm.decision.at_volume} == {
        (True, "api")
    }


@pytest.mark.parametrize(("most", "is_decided"), [(1e-6, True), (50.0, False)])
def test_at_most_decides_only_where_even_that_is_not_enough(most: float, is_decided: bool) -> None:
    got = decided(Goodput(requests_per_s=None, high=most, at_most=True), slo_met=False, slo_verdict="not_sure")

    assert {arm.decided for arm in got.arms} == {is_decided}
    assert {arm.decision.verdict for arm in got.arms} == {"never" if is_decided else None}
    assert all("at most" in arm.sentence and "no load step met" not in arm.sentence for arm in got.arms)
    assert got.self_host.usd_per_mtok.at_slo is None


def test_what_was_not_judged_decides_nothing() -> None:
    got = decided(None, slo_met=None, slo_verdict="not_judged")

    assert {arm.decided for arm in got.arms} == {False}
    assert {arm.decision.verdict for arm in got.arms} == {None}
    why = "no load step could be judged against the latency limits: a latency that is limited is unknown"
    assert got.arms[0].sentence == f"Not decided: {why}."
    assert got.self_host.why_no_goodput == "not judged, because a latency that is limited is unknown"


def test_a_run_whose_every_request_failed_decides_nothing() -> None:
    got = decided(None, requests=20, failed=20, slo_met=False, slo_verdict="no")

    assert {arm.decided for arm in got.arms} == {False}
    assert got.arms[0].sentence.endswith("limits: every request failed.")


@pytest.mark.parametrize(
    ("times", "is_near"),
    [(0.90, False), (0.97, True), (1.03, True), (1.10, False)],
    ids=["less", "under", "over", "more"],
)
def test_an_answer_that_the_spread_between_runs_would_turn_is_said_to_be_one_runs(times: float, is_near: bool) -> None:
    needed = decided(Goodput(requests_per_s=1.0, step=0)).arms[0].decision.min_goodput_requests_per_s
    assert needed is not None

    got = decided(Goodput(requests_per_s=needed * times, step=0))

    found = [check.message for check in got.checks if check.code == "one_run"]
    assert any(got.arms[0].name in message for message in found) is is_near


def test_an_interval_counts_before_the_spread_is_added() -> None:
    needed = decided(Goodput(requests_per_s=1.0, step=0)).arms[0].decision.min_goodput_requests_per_s
    assert needed is not None
    wide = Goodput(requests_per_s=1.2 * needed, low=1.05 * needed, high=1.35 * needed, step=0)

    assert "one_run" in {check.code for check in decided(wide).checks}
