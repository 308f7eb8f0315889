"""Findings on a run's tasks."""

from pathlib import Path

import pytest
from judged_runs import rows_and_verdicts, write_task_run

from harness.checks.tasks import task_checks
from harness.metrics.tasks import tasks_of
from harness.pipeline.analyse import metrics_of
from harness.rundir import files
from harness.rundir.read import typed
from harness.rundir.result import Check
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


def test_a_round_that_is_too_short_is_told_to_ask_more_tasks_not_to_last_longer(tmp_path: Path) -> None:
    run_dir = write_task_run(tmp_path, {f"t{i}": "+" for i in range(20)})

    metrics = metrics_of(run_dir, files.read_manifest(run_dir))

    (check,) = (one for one in metrics.steps[0].checks if one.code == "too_few_samples")
    assert check.hint == "ask more tasks: a round's window ends with its last one"
