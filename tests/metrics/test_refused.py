"""A step of which others than the server refused requests: not judged, unless those that were taken fail too."""

from typing import Any

import pytest

from harness.metrics.steps import compute_metrics
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

QUOTA = {"error": "http_429", "error_detail": "Rate limit reached", "http_status": 429}
KEY = {"error": "http_401", "error_detail": "expired", "http_status": 401}
FULL = {"error": "http_429", "error_detail": "Model is overloaded", "http_status": 429}
BROKEN = {"error": "http_500", "error_detail": "out of memory", "http_status": 500}
WORK = Scenario.model_validate({"name": "t", "slo": {"ttft_p95_s": 1.0, "error_rate": 0.01}})
STEP_S = 100.0


def rows(step: int, *parts: tuple[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """So many of each, one each half second: a first token after 0.5 s, an answer after 1 s."""
    out = []
    for count, change in parts:
        for _ in range(count):
            sent_s = step * STEP_S + len(out) / 2
            times = {"first_token_s": None, "finished_s": sent_s + 0.1} if "error" in change else {}
            request = {
                "request_id": f"{step}-{len(out)}", "step": step, "scheduled_s": sent_s, "sent_s": sent_s,
                "first_token_s": sent_s + change.get("ttft_s", 0.5), "finished_s": sent_s + 3.0, "prompt_tokens": 100,
                "output_tokens": 11, "requested_output_tokens": 11, "token_source": "server", "events": 11,
                "http_status": 200, "url": "u", "process": 1,
            } | times | change  # fmt: skip
            out.append({name: value for name, value in request.items() if name != "ttft_s"})
    return out


def run(*steps: list[dict[str, Any]]) -> Metrics:
    """One user in the first step, two in the second, four in the third."""
    ran = [
        RanStep(
            step=n, load=LoadOfStep(kind="closed", users=2**n), start_s=n * STEP_S, window_start_s=n * STEP_S,
            end_s=(n + 1) * STEP_S,
        )
        for n in range(len(steps))
    ]  # fmt: skip
    return compute_metrics(typed([row for step in steps for row in step]), ran, WORK)


@pytest.mark.parametrize(("refusal", "by"), [(QUOTA, "the endpoint's quota"), (KEY, "the endpoint's check of the key")])
def test_it_is_void_and_says_who_refused_how_much(refusal: dict[str, Any], by: str) -> None:
    metrics = run(rows(0, (60, {}), (40, refusal)))

    (step,) = metrics.steps
    assert (step.verdict, step.slo_met, step.refused, step.failed) == ("not_judged", None, 40, 40)
    assert step.void == f"{by} refused 40% of the requests"
    assert step.goodput_requests_per_s is None
    assert metrics.goodput is None
    assert metrics.why_no_goodput() == f"not judged, because {step.void}"


def test_as_few_as_may_fail_change_nothing() -> None:
    assert run(rows(0, (99, {}), (1, QUOTA))).steps[0].verdict == "yes"


@pytest.mark.parametrize("fault", [{"ttft_s": 2.0}, BROKEN])
def test_what_the_server_took_and_failed_it_fails(fault: dict[str, Any]) -> None:
    metrics = run(rows(0, (40, {}), (40, fault), (20, QUOTA)))

    assert (metrics.steps[0].verdict, metrics.steps[0].void) == ("no", None)
    assert metrics.why_no_goodput() == "no load step met the SLO"


def test_the_servers_own_limit_is_its_capacity() -> None:
    assert run(rows(0, (60, {}), (40, FULL))).steps[0].verdict == "no"


def test_above_a_load_that_passes_the_goodput_is_at_least_its() -> None:
    metrics = run(rows(0, (150, {})), rows(1, (60, {}), (60, QUOTA)))

    assert metrics.goodput is not None
    assert (metrics.goodput.step, metrics.goodput.at_least) == (0, True)


def test_below_a_load_that_fails_nobody_knows() -> None:
    lighter_refused = run(rows(0, (60, {}), (60, QUOTA)), rows(1, (60, {"ttft_s": 2.0})))
    between = run(rows(0, (150, {})), rows(1, (60, {}), (60, QUOTA)), rows(2, (60, {"ttft_s": 2.0})))
    heavier_refused = run(rows(0, (60, {"ttft_s": 2.0})), rows(1, (60, {}), (60, QUOTA)))

    assert (lighter_refused.is_judged, lighter_refused.goodput) == (False, None)
    assert (between.is_judged, between.goodput) == (False, None)
    assert heavier_refused.why_no_goodput() == "no load step met the SLO"
