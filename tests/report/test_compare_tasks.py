"""Task runs side by side, on run directories that were written by hand: one user, one load."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from judged_runs import G5, write_task_run

from harness.pipeline.analyse import metrics_of, outcomes_in
from harness.report.compare.loads import equal_loads_table
from harness.report.compare.page import comparison_report
from harness.report.compare.parity import Difference
from harness.report.compare.quality import weighed
from harness.report.compare.runs import Comparison, Outcome, compare_runs
from harness.report.model import RunFiles
from harness.report.render.markdown import render_markdown
from harness.rundir import files

IDS = [f"t{i:03}" for i in range(200)]
SURE = {task: "+" if i < 150 else "--" for i, task in enumerate(IDS)}  # 150 of 200
WORSE = {task: "+" if i < 120 else "--" for i, task in enumerate(IDS)}  # 30 of those not
NEARLY = {task: "+" if 8 <= i < 152 else "--" for i, task in enumerate(IDS)}  # 8 of those not, 2 others


def run_of(run_dir: Path, plan: Mapping[str, str], seconds: float, **changes: Any) -> RunFiles:
    changes = {"engine": {"name": "llama_server", "version": "1", "flags": None}, "instance": G5} | changes
    write_task_run(run_dir, plan, seconds=seconds, **changes)
    manifest = files.read_manifest(run_dir)
    return RunFiles(run_dir, manifest, metrics_of(run_dir, manifest), None, outcomes_in(run_dir, manifest))


def compared(tmp_path: Path, *plans: tuple[Mapping[str, str], float], **changes: Any) -> Comparison:
    return compare_runs([run_of(tmp_path / f"run{i}", *one, **changes) for i, one in enumerate(plans)])


def outcome(found: Comparison, question: str) -> Outcome:
    return next(one for one in found.outcomes if one.question == question)


def test_a_faster_run_that_answers_worse_is_not_called_the_winner(tmp_path: Path) -> None:
    found = compared(tmp_path, (SURE, 1.0), (WORSE, 0.5))

    serves = outcome(found, "serves most")
    assert serves.winner is None
    # 30 of 200 fewer, all 30 pairs on one side
    assert serves.words.startswith(
        "no winner: run1 serves most, but answers worse: run1 solves 15 % fewer of the tasks"
    )
    assert "more than chance" in serves.words
    assert outcome(found, "solves most").winner == "run0"


def test_a_faster_run_that_answers_as_well_wins_at_that_load(tmp_path: Path) -> None:
    found = compared(tmp_path, (SURE, 1.0), (SURE, 0.5))

    serves = outcome(found, "serves most")
    assert serves.winner == "run1"
    assert serves.words == "at 1 user run1 serves most, 1.99 to 2.01 req/s, against run0 0.997 to 1.00 req/s"
    assert outcome(found, "solves most").winner is None


def test_a_faster_run_that_is_worse_within_chance_wins_and_that_is_said(tmp_path: Path) -> None:
    # 8 against 2: 2 x (1 + 10 + 45)/1024 = 0.109
    found = compared(tmp_path, (SURE, 1.0), (NEARLY, 0.5))

    assert outcome(found, "serves most").winner == "run1"
    solves = outcome(found, "solves most")
    assert solves.winner is None
    assert solves.words == (
        "run1 solves 3 % fewer of the tasks than run0, not more than chance (of 200 tasks run1 alone solved 2, "
        "run0 alone 8; McNemar's exact test on these pairs: p = 0.11)"
    )


def test_of_three_each_is_held_against_the_first_and_nobody_wins_who_is_worse_than_any(tmp_path: Path) -> None:
    found = compared(tmp_path, (WORSE, 0.5), (NEARLY, 0.7), (SURE, 1.0))

    assert outcome(found, "serves most").winner is None
    assert outcome(found, "solves most").words.count("more of the tasks than run0") == 2
    assert len(found.qualities) == 3


def test_quantisation_lengths_and_policy_are_what_tasks_compare_and_no_unequal_work(tmp_path: Path) -> None:
    one = run_of(tmp_path / "q8", SURE, 1.0, quantization="Q8_0")
    other = run_of(tmp_path / "q4", SURE, 0.5, quantization="Q4_1", tokens=(100, 30), prompts={"on_failure": ["again"]})

    found = compare_runs([one, other])

    about = {difference.what: difference.about for difference in found.differences}
    assert about["quantisation"] == about["mean output tokens"] == about["prompts.on_failure"] == "subject"
    assert outcome(found, "serves most").winner == found.labels[1]


def test_what_an_engine_took_of_the_same_tasks_from_its_cache_is_no_unequal_work(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, SURE, 1.0) for name in ("a", "b")]
    hits = Difference("input from the prefix cache", ("0 %", "60 %"), "work")

    assert [one.about for one in weighed([hits], runs)] == ["subject"]


@pytest.mark.parametrize("change", [{"prompts": {"checker": {"kind": "json"}}}, {"prompts": {"output_tokens": 8}}])
def test_another_checker_or_length_is_unequal_work(tmp_path: Path, change: dict[str, Any]) -> None:
    found = compare_runs([run_of(tmp_path / "a", SURE, 1.0), run_of(tmp_path / "b", SURE, 0.5, **change)])

    assert outcome(found, "serves most").words.startswith("no winner: the work was unequal")


def test_other_tasks_are_unequal_work(tmp_path: Path) -> None:
    others = {f"x{task}": word for task, word in SURE.items()}

    found = compared(tmp_path, (SURE, 1.0), (others, 0.5))

    assert found.qualities == ()
    assert outcome(found, "serves most").words == "no winner: the work was unequal (the tasks asked)"


def test_the_page_has_the_tasks_side_by_side(tmp_path: Path) -> None:
    page = render_markdown(comparison_report(compared(tmp_path, (SURE, 1.0), (WORSE, 0.5))))

    assert "The same tasks, solved or not" in page
    assert "75 % (68.6 % to 80.5 % of 200)" in page
    assert "60 % (53.1 % to 66.5 % of 200)" in page
    assert "| run1 | 60 %" in page


def test_later_rounds_are_no_load_of_the_curves(tmp_path: Path) -> None:
    found = compared(tmp_path, (SURE, 1.0), (SURE, 0.5))

    table = equal_loads_table(found)

    # both rounds had one user: the rate is round 1's, 20 tokens a second
    assert table is not None
    (row,) = table.rows
    assert [cell.text for cell in row.cells] == ["1 user", "20.0", "40.0"]
    assert "n 200" in row.cells[1].note
