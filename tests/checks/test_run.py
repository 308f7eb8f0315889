"""Each check on the smallest run that earns it."""

from typing import Any

import pandas as pd
import pytest
import yaml
from judged_runs import rows_and_verdicts

from harness.checks.finding import check
from harness.checks.run import Measured, goodput_checks, with_checks, worst_level
from harness.metrics.server import server_side
from harness.metrics.steps import compute_metrics
from harness.metrics.tasks import tasks_of
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.result import Check, WindowOfStep
from harness.rundir.results import Goodput, Metrics, Step
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

TASKS = {
    "name": "t", "prompts": {"kind": "tasks", "file": "extraction"}, "request": {"api": "chat", "force_length": False},
}  # fmt: skip


def closed(users: int) -> RanStep:
    return RanStep(step=0, load=LoadOfStep(kind="closed", users=users), start_s=0.0, window_start_s=0.0, end_s=100.0)


def row(n: int, **more: Any) -> dict[str, Any]:
    """One request a second: first token after 0.1 s, ten tokens, each 0.01 s."""
    return {
        "request_id": f"r{n}", "step": 0, "attempt": 1, "scheduled_s": n + 0.0, "sent_s": n + 0.001,
        "first_token_s": n + 0.1, "finished_s": n + 0.19, "prompt_tokens": 800, "output_tokens": 10,
        "requested_output_tokens": 10, "token_source": "server", "events": 10, "clock": "kernel",
        "http_status": 200, "finish_reason": "length", "url": "u", "process": 7,
    } | more  # fmt: skip


def sample(n: int, **more: Any) -> dict[str, Any]:
    base = {"t_s": float(n), "process": 7, "cpu": 0.1, "in_flight": 1, "clock_steps": 0}
    return base | more


def findings(
    rows: list[dict[str, Any]],
    *,
    samples: list[dict[str, Any]] | None = None,
    scenario: dict[str, Any] | None = None,
    users: int = 1,
    ran: RanStep | None = None,
    **manifest: Any,
) -> dict[str, tuple[str, str]]:
    """code -> (level, message)"""
    checks = all_checks(rows, samples=samples, scenario=scenario, users=users, ran=ran, **manifest)
    return {found.code: (found.level, found.message) for found in checks}


def all_checks(
    rows: list[dict[str, Any]],
    *,
    samples: list[dict[str, Any]] | None = None,
    scenario: dict[str, Any] | None = None,
    users: int = 1,
    ran: RanStep | None = None,
    **manifest: Any,
) -> list[Check]:
    work = Scenario.model_validate({"name": "t", "slo": {"ttft_p50_s": 1}} | (scenario or {}))
    run = RunManifest(
        scenario=work.model_dump(mode="json"), scenario_digest="", backend=manifest.pop("backend", "vllm"),
        engine=manifest.pop("engine", {"name": "vllm"}), model="m", quantization=None, instance={},
        client=manifest.pop("client", {"exact_lengths": True}), seed=1, started_at="", started_monotonic_ns=0,
        harness_version="", git_revision=None, **manifest,
    )  # fmt: skip
    records = typed(rows)
    server = server_side(None, None)
    client = pd.DataFrame(samples or [sample(n) for n in range(100)])
    metrics = compute_metrics(records, [ran or closed(users)], work, server=server)
    checked = with_checks(metrics, Measured(records, client, run, work, server))
    return [*checked.steps[0].checks, *checked.checks]


GOOD = [row(n) for n in range(99)]


def test_a_clean_run_has_no_finding_but_that_one_load_does_not_fill_the_box() -> None:
    assert set(findings(GOOD)) == {"box_not_filled"}


def test_late_sending_is_client_bound() -> None:
    late = [row(n, sent_s=n + 0.06) for n in range(99)]
    later = [row(n, sent_s=n + 0.02) for n in range(99)]

    assert findings(late)["client_bound"] == ("error", "at 1 user requests left 60 ms late (p99 of sent - scheduled)")
    assert findings(later)["client_bound"][0] == "warning"


def test_a_busy_generator_is_client_bound() -> None:
    level, message = findings(GOOD, samples=[sample(n, cpu=0.93) for n in range(100)])["client_bound"]

    assert level == "error"
    assert "93%" in message


def test_a_loop_that_comes_round_late_is_client_bound() -> None:
    # the process that is late counts, not the mean of two
    slow = [sample(n, process=n % 2, loop_lag_p50_s=0.001 if n % 2 else 0.03) for n in range(100)]
    slower = [sample(n, loop_lag_p50_s=0.06) for n in range(100)]

    assert findings(GOOD, samples=slow)["client_bound"] == (
        "warning",
        "at 1 user the client's loop came round 30 ms late (median)",
    )
    assert findings(GOOD, samples=slower)["client_bound"][0] == "error"


def test_token_events_that_share_a_read_are_said_to_be_coarse() -> None:
    # 12 of 100 each second, then 10: a tenth is let through
    many = [sample(n, events=100, shared_events=12) for n in range(100)]
    few = [sample(n, events=100, shared_events=10) for n in range(100)]

    level, message = findings(GOOD, samples=many)["shared_reads"]

    assert level == "warning"
    assert "12% of the token events came out of one read with others" in message
    assert "shared_reads" not in findings(GOOD, samples=few)


def test_too_few_in_flight_is_client_bound() -> None:
    assert "1.0 requests were in flight" in findings(GOOD, users=4)["client_bound"][1]


def test_users_of_a_ramp_are_held_against_those_in_flight_at_the_same_instants() -> None:
    # 3 users on average, but 1, 2 and 3 at the three instants at which somebody looked, and as many under way
    looked = [sample(10 * n, in_flight=n, asked=n) for n in (1, 2, 3)]
    half = [sample(10 * n, in_flight=n, asked=2 * n) for n in (1, 2, 3)]

    assert "client_bound" not in findings(GOOD, users=3, samples=looked)
    assert "only 2.0 requests were in flight" in findings(GOOD, users=3, samples=half)["client_bound"][1]


def test_a_part_of_a_log_in_which_nothing_came_has_no_finding() -> None:
    load = LoadOfStep(kind="trace", requests_per_s=0)
    silent = RanStep(step=0, load=load, start_s=200, window_start_s=200, end_s=210)

    assert set(findings(GOOD, ran=silent, scenario={"load": {"kind": "trace", "file": "t"}})) == {"not_judged"}


def test_errors_over_the_limit_break_the_run_when_nothing_passes() -> None:
    rows = [row(n) for n in range(97)] + [row(97, error="http_500", error_detail="boom"), row(98, error="timeout")]

    level, message = findings(rows)["errors_over_limit"]

    assert level == "error"
    assert "2 of 99 requests failed" in message
    assert "boom" in message


def test_one_percent_of_errors_is_within_the_limit() -> None:
    assert "errors_over_limit" not in findings([*GOOD, row(99, error="timeout")])


def test_percentiles_from_too_few_requests_are_named() -> None:
    level, message = findings(GOOD, scenario={"slo": {"preset": "chat"}})["too_few_samples"]

    assert level == "warning"
    assert "TTFT p99 from 99 (needs 662)" in message


def test_a_rate_from_four_requests_is_too_few() -> None:
    assert "the rate from 4" in findings([row(n) for n in range(4)])["too_few_samples"][1]


def test_answers_shorter_than_asked_are_said() -> None:
    assert (
        "10.0 tokens on average, 12.0"
        in findings([row(n, requested_output_tokens=12) for n in range(99)])["lengths_differ"][1]
    )


@pytest.mark.parametrize(
    ("via", "way_out"),
    [
        (None, "cannot be told to ignore end-of-sequence"),
        ({"server": "nginx"}, "cannot be told to ignore end-of-sequence"),
        ({"gateway": "litellm", "version": "1.81.15"}, "`--backend NAME` of the one behind it"),
    ],
)
def test_the_way_out_of_short_answers_depends_on_what_stands_between(via: dict[str, str] | None, way_out: str) -> None:
    checks = all_checks([row(n, requested_output_tokens=12) for n in range(99)], via=via)

    assert [way_out in (check.hint or "") for check in checks if check.code == "lengths_differ"] == [True]


def test_prompts_of_another_length_are_said() -> None:
    assert "700 tokens on average, 800" in findings([row(n, prompt_tokens=700) for n in range(99)])["lengths_differ"][1]


def test_prefix_cache_hits_that_nobody_wanted_are_said() -> None:
    rows = [row(n, cached_tokens=400) for n in range(99)]
    wanted = {"prompts": {"kind": "synthetic", "shared_prefix_tokens": 400}}

    assert "50%" in findings(rows)["prefix_cache_hits"][1]
    assert "prefix_cache_hits" not in findings(rows, scenario=wanted)


@pytest.mark.parametrize(("source", "level"), [("endpoint_tokenizer", "warning"), ("unknown", "error")])
def test_token_counts_that_are_not_the_servers_are_said(source: str, level: str) -> None:
    rows = [row(n, token_source=source) for n in range(99)]

    assert findings(rows)["token_source"][0] == level


def test_one_stream_at_a_time_is_said_only_where_more_users_ask() -> None:
    engine = {"name": "llama_cpp_python"}
    samples = [sample(n, in_flight=2) for n in range(100)]

    assert "single_stream_engine" not in findings(GOOD, engine=engine)
    assert findings(GOOD, engine=engine, users=2, samples=samples)["single_stream_engine"][0] == "warning"


def test_answers_that_tgi_cuts_into_pieces_are_said() -> None:
    at_most = [row(n, output_tokens=1024, requested_output_tokens=1024) for n in range(99)]
    longer = [row(n, output_tokens=1025, requested_output_tokens=1025) for n in range(99)]

    assert "cut_into_pieces" not in findings(at_most, backend="tgi")
    assert findings(longer, backend="tgi")["cut_into_pieces"][0] == "warning"
    assert "cut_into_pieces" not in findings(longer, backend="vllm")


def test_a_stepped_clock_is_an_error() -> None:
    assert findings(GOOD, samples=[sample(n, clock_steps=n // 50) for n in range(100)])["clock_stepped"][0] == "error"


def test_a_partial_run_and_estimated_lengths_are_said() -> None:
    found = findings(GOOD, partial=True, client={"exact_lengths": False, "cut_short": "it was interrupted"})

    assert found["partial"] == ("warning", "the run was cut short (it was interrupted); this is what it had measured")
    assert "estimated_lengths" in found


def test_a_run_that_did_not_say_how_it_ended_is_an_error() -> None:
    assert findings(GOOD, partial=True)["partial"][0] == "error"


def test_the_worst_level_decides() -> None:
    warning, error = check("a", "warning", "w"), check("b", "error", "e")

    assert worst_level([]) is None
    assert worst_level([warning, warning]) == "warning"
    assert worst_level([warning, error]) == "error"


def test_a_step_without_a_window_has_an_unknown_rate_and_not_none_at_all() -> None:
    # the run was cut before the window began: nothing can be said of the rate, least of all that it came from 0
    no_window = RanStep(step=0, load=LoadOfStep(kind="closed", users=1), start_s=0.0, window_start_s=50.0, end_s=50.0)

    found = findings(GOOD, ran=no_window)

    assert "the rate from" not in found["too_few_samples"][1]


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ({"kind": "closed", "users": 4}, "over: users, low: 4, high: 64}"),
        ({"kind": "ramp", "users": 1.75}, "over: users, low: 2, high: 32}"),  # users come whole
        ({"kind": "open", "requests_per_s": 0.5}, "over: requests_per_s, low: 0.5, high: 8}"),
        ({"kind": "trace"}, "over: requests_per_s, low: 0.99, high: 15.84}"),  # what it served
    ],
    ids=["closed", "ramp", "open", "trace"],
)
def test_a_box_that_was_not_filled_has_the_search_that_goes_on_from_there(load: dict[str, Any], said: str) -> None:
    window = WindowOfStep(start_s=0, end_s=100)
    step = Step(step=0, load=LoadOfStep.model_validate(load), window=window, requests=99, requests_per_s=0.99)
    metrics = Metrics(steps=(step,), goodput=Goodput(requests_per_s=0.99, step=0, at_least=True))

    (found,) = goodput_checks(metrics, typed(GOOD))

    assert found.code == "box_not_filled"
    assert found.hint is not None
    assert said in found.hint
    search = yaml.safe_load(found.hint.removesuffix(" finds where it ends"))
    assert Scenario.model_validate({"name": "t", "slo": {"ttft_p50_s": 1}} | search).load.kind == "search"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row(n) for n in range(7)], "the best step has 7 requests"),
        ([row(n, error="http_500") for n in range(30)], "every request failed"),
        ([row(n, first_token_s=None) for n in range(30)], "a latency that is limited is unknown"),
    ],
    ids=["few", "failed", "unknown"],
)
def test_a_run_in_which_nothing_could_be_judged_is_an_error_that_says_why(rows: list[dict[str, Any]], why: str) -> None:
    assert findings(rows)["not_judged"] == ("error", f"no limit could be judged: {why}")


@pytest.mark.parametrize(
    ("driven", "blamed"),
    [(None, True), ({}, True), ({"waited_s": 0.4}, True), ({"waited_s": 2.0}, False), ({"rate_limited": 1}, False)],
)
def test_users_who_wait_for_an_apis_rate_limit_are_no_slow_client(
    driven: dict[str, float] | None, blamed: bool
) -> None:
    said = {} if driven is None else {"driven": {"arm": "x:m", "max_usd": 1, **driven}}
    held = RanStep.model_validate({**closed(2).model_dump(), "held_s": 100.5})
    found = findings(GOOD, samples=[sample(n, asked=2) for n in range(100)], users=2, ran=held, **said)

    # one of two users has a request under way, for a fifth of the time
    assert ("client_bound" in found) is blamed
    assert ("little_s_law" in found) is blamed


def test_a_client_without_a_cpu_of_its_own_is_named_whatever_the_rate_limit() -> None:
    driven = {"arm": "x:m", "max_usd": 1, "waited_s": 9.0}
    found = findings(GOOD, samples=[sample(n, cpu=0.95) for n in range(100)], driven=driven)

    assert found["client_bound"][0] == "error"


@pytest.mark.parametrize(("tasks", "judged", "level"), [(9, 9, "warning"), (9, 0, "error"), (0, 0, "error")])
def test_tasks_that_were_judged_are_trusted_where_their_goodput_is_not_told(
    tasks: int, judged: int, level: str
) -> None:
    window = WindowOfStep(start_s=0, end_s=9)
    step = Step(step=0, round=1, role="attempts", load=LoadOfStep(kind="closed", users=4), window=window, requests=9)
    of_tasks = None
    if tasks:
        words = "+" * judged + "?" * (tasks - judged)
        rows, verdicts, steps = rows_and_verdicts({f"t{i}": word for i, word in enumerate(words)})
        ran = [RanStep.model_validate(one) for one in steps]
        of_tasks = tasks_of(typed(rows), verdicts, ran, Scenario.model_validate(TASKS))
    (found,) = goodput_checks(Metrics(steps=(step,), tasks=of_tasks), typed([row(n) for n in range(9)]))

    assert (found.code, found.level) == ("not_judged", level)
    assert "the best step has 9 requests" in found.message
    assert ("takes 10 tasks of the first round" in str(found.hint)) is (level == "warning")
