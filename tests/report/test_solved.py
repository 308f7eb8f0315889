"""The section on tasks: what a reader sees of them, and of each side's cost."""

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from judged_runs import G5, plan_of, write_task_run
from rich.console import Console

from harness.pipeline.analyse import metrics_of, outcomes_in
from harness.report import console_report
from harness.report.measured.tasks import task_blocks
from harness.report.model import RunFiles, Table, Text
from harness.report.render.markdown import render_markdown
from harness.report.sections import build_report
from harness.rundir import files
from harness.rundir.of_tasks import TasksOfRun

PLAN = plan_of(solved=30, later=8, never=20) | {"x1": "?", "x2": "!+"}


def run_of(run_dir: Path, plan: Mapping[str, str] = PLAN, **changes: Any) -> RunFiles:
    write_task_run(run_dir, plan, instance=G5, **changes)
    manifest = files.read_manifest(run_dir)
    return RunFiles(run_dir, manifest, metrics_of(run_dir, manifest), None, outcomes_in(run_dir, manifest))


def tasks(run: RunFiles) -> TasksOfRun:
    assert run.metrics.tasks is not None
    return run.metrics.tasks


def cells(table: Table) -> dict[str, str]:
    return {row.cells[0].text: row.cells[1].text for row in table.rows}


def test_the_section_begins_with_the_rate_its_interval_and_what_that_can_tell(tmp_path: Path) -> None:
    # 39 of 59: Wilson 0.534 to 0.769
    first, *_ = task_blocks(tasks(run_of(tmp_path)), 3)

    assert isinstance(first, Text)
    assert first.text.startswith(
        "39 of 59 tasks solved, 66.1 % (53.4 % to 76.9 %); 1 task not judged, which may be either."
    )
    assert "so few tasks tell only models apart that differ by more" in first.text
    assert first.tone == "warn"


def test_many_tasks_are_not_called_few(tmp_path: Path) -> None:
    first, *_ = task_blocks(tasks(run_of(tmp_path, plan_of(solved=200, never=100))), 3)

    assert isinstance(first, Text)
    assert "so few" not in first.text
    assert first.tone == ""


def test_the_retry_arithmetic_stands_beside_what_was_measured(tmp_path: Path) -> None:
    # 20 solved at once, 10 by the second attempt, 10 never: p = 0.5; 1 + 0.5 + 0.25 attempts, 1 - 0.125 solved;
    # measured 20 + 20 + 30 = 70 attempts of 40, 30 solved
    blocks = task_blocks(tasks(run_of(tmp_path, plan_of(solved=20, later=10, never=10))), 3)

    table = next(one for one in blocks if isinstance(one, Table) and one.caption.startswith("Retry arithmetic"))
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["attempts that fail", "50 %", "50 %"],
        ["attempts a task", "1.75", "1.75"],
        ["tasks solved", "87.5 %", "75 %"],
        ["attempts a solved task", "2.00", "2.33"],
    ]


def test_failed_attempts_are_told_with_their_tokens_and_reasons(tmp_path: Path) -> None:
    # 8 + 60 failed of 100 + 20 tokens, and a timeout of 100 + 0; 8 and the timeout's at tasks that were solved
    blocks = task_blocks(tasks(run_of(tmp_path)), 3)

    said = next(one.text for one in blocks if isinstance(one, Text) and "failed and took" in one.text)
    assert said.startswith("69 attempts failed and took 6,900 input and 1,360 output tokens (63 % of all output)")
    assert said.endswith("9 at tasks that were solved later, 60 at tasks that nothing solved.")
    reasons = blocks[-1]
    assert isinstance(reasons, Table)
    assert cells(reasons) == {"not JSON": "68", "the request failed": "1"}


def test_rounds_are_rows_and_only_the_first_gives_a_goodput(tmp_path: Path) -> None:
    report = build_report(run_of(tmp_path))
    page = render_markdown(report)

    assert "| 1 | attempts | 1 | 60 | 30 | 50.8 % | 1 |" in page
    assert "| 3 | attempts | 3 | 20 | 0 | 0 % | 0 |" in page
    assert "1 user (round 3: attempts)" in page


@pytest.mark.parametrize(("plan", "rate"), [({"a": "---", "b": "---"}, "0 %"), ({"a": "?"}, "no task was judged")])
def test_nothing_solved_and_nothing_judged_are_said_and_no_number_is_made_up(
    tmp_path: Path, plan: dict[str, str], rate: str
) -> None:
    first, *_ = task_blocks(tasks(run_of(tmp_path, plan)), 3)

    assert isinstance(first, Text)
    assert rate in first.text
    assert re.search(r"\bnan\b", render_markdown(build_report(run_of(tmp_path, plan)))) is None


def test_the_console_says_the_success_first(tmp_path: Path) -> None:
    out = StringIO()
    Console(width=100, file=out).print(console_report(run_of(tmp_path / "run")))

    assert "39 of 59 tasks solved, 66.1 % (53.4 % to 76.9 %)" in out.getvalue()


def test_reasons_of_a_hostile_checker_stay_text(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    hostile = tasks(run).failed_attempts.model_copy(update={"reasons": {"<script>alert(1)</script>|\x1b[31m": 3}})
    blocks = task_blocks(tasks(run).model_copy(update={"failed_attempts": hostile}), 3)

    assert "\x1b" not in "".join(cells(blocks[-1]))  # type: ignore[arg-type]
