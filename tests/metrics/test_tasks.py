"""From records and verdicts to what came of the tasks, on rounds that were written by hand."""

from collections.abc import Mapping

import pytest
from judged_runs import manifest_of, rows_and_verdicts

from harness.metrics.steps import compute_metrics
from harness.metrics.tasks import outcomes_of
from harness.rundir.of_tasks import TasksOfRun
from harness.rundir.read import typed
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario


def scenario_of(**prompts: object) -> Scenario:
    return Scenario.model_validate(manifest_of(prompts=prompts)["scenario"])


def measured(plan: Mapping[str, str], scenario: Scenario | None = None, **of_rows: object) -> Metrics:
    rows, verdicts, steps = rows_and_verdicts(plan, **of_rows)  # type: ignore[arg-type]
    ran = [RanStep.model_validate(line) for line in steps]
    return compute_metrics(typed(rows), ran, scenario or scenario_of(), verdicts=verdicts)


def tasks_of(plan: Mapping[str, str], scenario: Scenario | None = None, **of_rows: object) -> TasksOfRun:
    found = measured(plan, scenario, **of_rows).tasks
    assert found is not None
    return found


def test_a_task_is_solved_by_any_attempt_and_its_attempts_tokens_and_seconds_add_up() -> None:
    # 1 + 2 + 3 attempts of 100 and 20 tokens, 2 s each
    tasks = tasks_of({"a": "+", "b": "-+", "c": "---"}, seconds=2.0)

    assert (tasks.n, tasks.judged, tasks.not_judged, tasks.solved) == (3, 3, 0, 2)
    assert (tasks.success.rate, tasks.first_attempt.rate) == (2 / 3, 1 / 3)
    assert tasks.attempts_per_task == 2
    assert (tasks.input_tokens_per_task, tasks.output_tokens_per_task, tasks.cached_tokens_per_task) == (200, 40, 0)
    assert (tasks.latency_s.n, tasks.latency_s.mean, tasks.latency_s.p50) == (3, pytest.approx(4), pytest.approx(4))


def test_the_success_rate_has_wilsons_interval() -> None:
    # 8 of 10: 0.4902 to 0.9433
    tasks = tasks_of({f"t{i}": "+" if i < 8 else "-" for i in range(10)})

    assert (tasks.success.rate, tasks.success.low, tasks.success.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_what_was_not_judged_is_neither_a_success_nor_a_failure() -> None:
    tasks = tasks_of({"a": "+", "b": "?", "c": "-?", "d": "-"})

    assert (tasks.n, tasks.judged, tasks.not_judged, tasks.solved) == (4, 2, 2, 1)
    assert tasks.success.rate == 0.5
    assert tasks.first_attempt.rate == pytest.approx(1 / 3)
    assert [one.not_judged for one in tasks.rounds] == [1, 1]


def test_a_request_that_nobody_judged_is_not_judged() -> None:
    rows, _, steps = rows_and_verdicts({"a": "+", "b": "-"})

    tasks = compute_metrics(typed(rows), [RanStep.model_validate(one) for one in steps], scenario_of()).tasks

    assert tasks is not None
    assert (tasks.n, tasks.not_judged, tasks.success.rate, tasks.success.low) == (2, 2, None, None)


def test_failed_attempts_have_their_tokens_their_reasons_and_whether_it_was_all_in_vain() -> None:
    # b fails once and then does it, c fails three times: 4 attempts, 3 of them in vain
    tasks = tasks_of({"a": "+", "b": "-+", "c": "---"}, more_input=10)

    failed = tasks.failed_attempts
    assert (failed.attempts, failed.never_solved) == (4, 3)
    assert (failed.input_tokens, failed.output_tokens) == (100 + 100 + 110 + 120, 80)
    assert failed.reasons == {"not JSON": 4}


def test_a_request_that_failed_took_its_time_out_and_tokens_that_nobody_told_are_none() -> None:
    tasks = tasks_of({"a": "!+", "b": "+"})

    assert tasks.latency_s.mean == pytest.approx((600 + 1 + 1) / 2)
    assert tasks.output_tokens_per_task == 20
    assert tasks.failed_attempts.reasons == {"the request failed": 1}


def test_tokens_that_an_answered_request_did_not_tell_make_no_sum() -> None:
    rows, verdicts, steps = rows_and_verdicts({"a": "+", "b": "-+"})
    rows[-1]["output_tokens"] = None

    tasks = compute_metrics(
        typed(rows), [RanStep.model_validate(one) for one in steps], scenario_of(), verdicts=verdicts
    ).tasks

    assert tasks is not None
    assert (tasks.input_tokens_per_task, tasks.output_tokens_per_task) == (150, None)


def test_an_escalation_stands_apart_with_its_own_attempts_and_tokens() -> None:
    scenario = scenario_of(on_failure=["again", "escalate"], escalate={"url": "http://x", "model": "m", "api": "o:big"})

    tasks = tasks_of({"a": "+", "b": "-+", "c": "--E", "d": "--e"}, scenario)

    assert (tasks.solved, tasks.success.rate, tasks.own_success.rate) == (3, 0.75, 0.5)
    assert tasks.attempts_per_task == (1 + 2 + 2 + 2) / 4
    assert tasks.escalated is not None
    assert tasks.escalated.model_dump() == {
        "tasks": 2, "solved": 1, "attempts": 2, "input_tokens_per_task": 100, "cached_tokens_per_task": 0,
        "output_tokens_per_task": 20, "api": "o:big",
    }  # fmt: skip
    assert [(one.round, one.role, one.asked, one.solved) for one in tasks.rounds] == [
        (1, "attempts", 4, 1), (2, "attempts", 3, 1), (3, "escalation", 2, 1),
    ]  # fmt: skip
    assert tasks.latency_s.mean == pytest.approx((1 + 2 + 3 + 3) / 4)


def test_requests_to_a_model_that_judges_are_no_attempts() -> None:
    rows, verdicts, steps = rows_and_verdicts({"a": "+", "b": "+"})
    judged = [row | {"request_id": f"j{i}", "step": 1} for i, row in enumerate(rows[-2:])]
    steps.append(steps[0] | {"step": 1, "round": 2, "role": "judging", "start_s": 90.0, "window_start_s": 90.0})
    scenario = scenario_of(
        judge={"url": "http://x", "model": "m", "api": "o:big"}, checker={"kind": "judge"}, on_failure=[]
    )

    tasks = compute_metrics(
        typed([*rows, *judged]), [RanStep.model_validate(one) for one in steps], scenario, verdicts=verdicts
    ).tasks

    assert tasks is not None
    assert (tasks.n, tasks.judged, tasks.attempts_per_task, len(tasks.rounds)) == (2, 2, 1, 1)
    assert tasks.judging is not None
    assert (tasks.judging.requests, tasks.judging.output_tokens, tasks.judging.api) == (2, 40, "o:big")


def test_a_repaired_answer_is_a_success_that_is_counted() -> None:
    assert tasks_of({"a": "r", "b": "-r", "c": "+"}).repaired == 2


def test_repeats_are_in_no_figure_of_the_tasks_but_in_the_load_that_they_held() -> None:
    # ten repeats of a second before, one user: the window's rate is 1 request/s from its first instant on
    run = measured({f"t{i}": "+" for i in range(20)})

    assert run.tasks is not None
    assert (run.tasks.n, run.tasks.attempts_per_task) == (20, 1)
    assert run.steps[0].requests == 20
    assert run.steps[0].requests_per_s == pytest.approx(1.0)
    assert run.timeline is not None
    assert run.timeline.in_flight[5] == pytest.approx(1.0)


def test_the_goodput_is_of_round_1_alone_and_later_rounds_are_not_judged() -> None:
    plan = {f"t{i:03}": "+" if i < 300 else "-----" for i in range(700)}

    run = measured(plan, scenario_of(on_failure=["again"] * 4))

    assert [step.round for step in run.steps] == [1, 2, 3, 4, 5]
    assert [step.verdict for step in run.steps] == ["yes", *["not_judged"] * 4]
    assert [step.goodput_requests_per_s is None for step in run.steps] == [False, True, True, True, True]
    assert run.goodput is not None
    assert run.goodput.step == 0
    assert run.decisive is run.steps[0]
    assert [step.number for step in run.loads] == [1]


def test_a_round_that_only_failed_takes_no_goodput_away() -> None:
    plan = {f"t{i:03}": "+" if i < 680 else "-!" for i in range(700)}

    run = measured(plan)

    assert run.steps[1].failed == 20
    assert run.goodput is not None
    assert run.is_judged


def test_outcomes_are_told_task_by_task() -> None:
    rows, verdicts, steps = rows_and_verdicts({"a": "-+", "b": "--", "c": "?"})

    found = outcomes_of(typed(rows), verdicts, [RanStep.model_validate(one) for one in steps], scenario_of())

    assert found == {"a": True, "b": False, "c": None}


def test_a_run_without_tasks_has_none() -> None:
    rows, verdicts, steps = rows_and_verdicts({"a": "+"})

    run = compute_metrics(typed(rows), [RanStep.model_validate(one) for one in steps], Scenario(name="plain"))

    assert run.tasks is None
    assert verdicts
