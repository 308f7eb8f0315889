"""Findings on a run's tasks."""

import pytest
from judged_runs import rows_and_verdicts

from harness.checks.finding import longer
from harness.checks.tasks import task_checks
from harness.metrics.tasks import tasks_of
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.result import Check, WindowOfStep
from harness.rundir.results import Step
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

TASKS = Scenario.model_validate({
    "name": "t", "prompts": {"kind": "tasks", "file": "extraction"}, "request": {"api": "chat", "force_length": False},
})  # fmt: skip


def found(solved: int, failed: int, not_judged: int = 0) -> list[Check]:
    words = "+" * solved + "-" * failed + "?" * not_judged
    rows, verdicts, steps = rows_and_verdicts({f"t{i}": word for i, word in enumerate(words)})
    ran = [RanStep.model_validate(one) for one in steps]
    return list(task_checks(tasks_of(typed(rows), verdicts, ran, TASKS)))


def test_a_run_without_tasks_and_one_with_many_have_no_finding() -> None:
    assert list(task_checks(None)) == []
    assert found(200, 200) == []


def test_few_tasks_are_said_with_what_their_interval_can_tell() -> None:
    # Wilson for 30 of 60: 0.3774 to 0.6226
    (check,) = found(30, 30)

    assert (check.code, check.level) == ("few_tasks", "warning")
    assert "60 tasks were judged: 50.0% solved is sure to ±12% of the tasks only" in check.message


@pytest.mark.parametrize(("not_judged", "level"), [(1, "warning"), (40, "warning"), (45, "error"), (400, "error")])
def test_tasks_that_nobody_judged_are_named_and_many_forbid_to_trust_the_run(not_judged: int, level: str) -> None:
    checks = found(200, 200, not_judged) if not_judged < 400 else found(0, 0, 400)

    check = next(one for one in checks if one.code == "tasks_not_judged")
    assert check.level == level
    assert check.message.startswith(f"{not_judged} of {400 + not_judged if not_judged < 400 else 400} tasks")


def test_a_round_of_tasks_gets_longer_by_more_of_them() -> None:
    step = Step(
        step=0, round=1, load=LoadOfStep(kind="closed", users=2), window=WindowOfStep(start_s=0, end_s=1), requests=0
    )

    assert longer(step, " by 5 s") == "ask more tasks"
    assert longer(step.model_copy(update={"round": None}), " by 5 s") == "make step_s longer by 5 s"
