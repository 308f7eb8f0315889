"""Answers of a task run judged once more: by the run's own tasks, without asking anybody."""

import json
from pathlib import Path

import pytest
from endpoint import Endpoint
from task_answers import answering
from task_runs import SUMS, driven, of_tasks

from harness.base.errors import UsageError
from harness.pipeline.judge_again import judge_again
from harness.rundir.judged import Verdict, read_judged, write_judged


def run_of(place: Path, *, keep_text: bool = True, **prompts: object) -> Path:
    with Endpoint(post=answering(lambda call: "4")) as server:
        return driven(place, server, of_tasks(place, SUMS, keep_text=keep_text, **prompts)).run_dir


def test_the_texts_that_were_kept_are_judged_by_the_runs_own_tasks(tmp_path: Path) -> None:
    run_dir = run_of(tmp_path)
    before = read_judged(run_dir)
    write_judged(run_dir, [Verdict(one.request_id, one.task, one.attempt, None, "?", "exact") for one in before])
    (tmp_path / "tasks.jsonl").unlink()

    done = judge_again(run_dir)

    assert read_judged(run_dir) == before
    assert [one.task for one in before if one.task_success] == ["s2"]
    assert (done.judged, done.changed, done.left) == (6, 6, 0)


def test_a_run_that_kept_no_text_says_so(tmp_path: Path) -> None:
    run_dir = run_of(tmp_path, keep_text=False)

    with pytest.raises(UsageError, match="kept no text that could be judged again"):
        judge_again(run_dir)


def test_a_function_is_never_called_out_of_a_run_directory(tmp_path: Path) -> None:
    run_dir = run_of(tmp_path)
    task = {**SUMS[0], "checker": {"kind": "function", "function": "os:getcwd"}}
    (run_dir / "tasks.jsonl").write_text(json.dumps(task) + "\n")

    with pytest.raises(UsageError, match="os:getcwd"):
        judge_again(run_dir)
