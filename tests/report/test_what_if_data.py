"""What the what-if panel knows beside the decision: how an hour of the box splits over input and output tokens."""

import pytest
from report_cases import case, changed

from harness.report.money.whatif import SAME_SHAPE, output_weight, what_if_panel
from harness.rundir.decision import Decision, MeasuredWeight
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step
from harness.scenario import Slo


def decision() -> Decision:
    found = case("two_windows").decision
    assert found is not None
    return found


def lowest(*, ttft_s: float | None = 0.2, tpot_s: float | None = 0.05, users: int = 1) -> Step:
    """One user, 800 input tokens: a first token and the time of each one after it."""
    return Step(
        step=0,
        load=LoadOfStep(kind="closed", users=users),
        window=WindowOfStep(start_s=0, end_s=10),
        requests=200,
        mean_input_tokens=800,
        mean_output_tokens=250,
        ttft_s=Summary(n=200, p50=ttft_s, p95=ttft_s),
        tpot_s=Summary(n=200, p50=tpot_s, p95=tpot_s),
    )


def test_the_runs_own_lowest_load_gives_the_dearest_an_output_token_can_be() -> None:
    """0.2 s for 800 tokens are 0.25 ms each, and 50 ms are 200 of them; in a full batch at least one."""
    found = output_weight(decision(), lowest())

    assert (found.low, found.high) == (1, pytest.approx(200))
    assert found.middle == pytest.approx(200**0.5)
    assert "at 1 user an output token took as long as 200 input tokens" in found.said


def test_a_weight_fitted_over_runs_goes_before_it_with_its_misfit() -> None:
    own = decision()
    fitted = MeasuredWeight(
        output_weight=10, seconds_per_input_token=1e-4, seconds_per_output_token=1e-3, runs=3, largest_misfit=0.2
    )
    assert own.self_host.splits is not None
    splits = own.self_host.splits.model_copy(update={"measured_weight": fitted})
    known = own.model_copy(update={"self_host": own.self_host.model_copy(update={"splits": splits})})

    found = output_weight(known, lowest())

    assert (found.low, found.middle, found.high) == (pytest.approx(8), 10, pytest.approx(12))
    assert found.said.startswith("measured over 3 runs")


@pytest.mark.parametrize("step", [None, lowest(ttft_s=None), lowest(tpot_s=None), lowest(users=2)])
def test_where_nobody_measured_the_split_it_has_no_upper_end(step: Step | None) -> None:
    """Of two users one may wait for the other: that is no time of its input."""
    found = output_weight(decision(), step)

    assert (found.low, found.high) == (1, None)
    assert found.said.startswith("nobody measured how the box's time splits over input and output")


def test_the_limits_that_longer_requests_come_nearer_to_are_told_with_how_near_they_are() -> None:
    """At 1 user the first token takes 0.2 s of 2 s; TPOT does not grow with the length."""
    metrics = case("two_windows").metrics.model_copy(update={"steps": (lowest(),)})

    panel = what_if_panel(decision(), metrics, Slo.model_validate({"ttft_p95_s": 2, "tpot_p95_s": 0.2}))

    (limit,) = panel.data["limits"]
    assert (limit["share"], limit["grows_with"]) == (pytest.approx(0.1), "input")
    assert limit["words"] == "TTFT p95 was 200 ms at 1 user already, the limit is 2.00 s"


def test_a_demand_of_another_shape_than_the_run_is_doubted_from_the_start() -> None:
    run = case("two_windows").metrics

    def longer(data: dict) -> None:
        for step in data["steps"]:
            step["mean_input_tokens"] = 800 * (1 + SAME_SHAPE) + 80

    assert what_if_panel(decision(), run).data["other_shape"] == ""
    said = what_if_panel(decision(), changed(run, longer)).data["other_shape"]
    assert said.startswith("the goodput was measured on requests of 960 in / ")
    assert said.endswith("and these are of 800 / 250")
