"""Task runs against a server that answers as the test says: rounds, what is judged, what every row says."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from endpoint import Call, Endpoint
from load_helpers import run_load
from task_answers import answering

from harness.pipeline.measure import Measured
from harness.rundir.files import read_manifest
from harness.rundir.judged import read_judged
from harness.rundir.read import read_answers, read_records, read_rows
from harness.rundir.steps import read_steps
from harness.scenario import Scenario

SUMS = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?", "expected": str(2 * n)} for n in range(6)]


def of_tasks(place: Path, tasks: list[dict[str, Any]], load: dict[str, Any] | None = None, **prompts: Any) -> Scenario:
    (place / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    return Scenario.model_validate(
        {
            "name": "t",
            "load": load or {"kind": "closed", "users": [2], "warmup_s": 0.2},
            "prompts": {"kind": "tasks", "file": "tasks.jsonl", "checker": {"kind": "exact"}, **prompts},
            "request": {"timeout_s": 2, "api": "chat"},
            "slo": {"preset": "batch"},
        }
    )


def driven(place: Path, server: Endpoint, work: Scenario, **more: Any) -> Measured:
    return run_load(place, server.url, backend="openai", work=work, **more)


def number_in(call: Call) -> int:
    return int(call.body["messages"][0]["content"].split(" plus ")[1].split("?")[0])


def asked_of(rows: pd.DataFrame) -> list[tuple[str, int]]:
    return sorted(zip(rows["task"], rows["attempt"], strict=True))


def test_every_task_is_asked_once_and_those_that_failed_again(tmp_path: Path) -> None:
    def answer(call: Call) -> str:
        n, is_told = number_in(call), len(call.body["messages"]) > 1
        return str(2 * n) if n < 4 or (n == 4 and is_told) else "no idea"

    with Endpoint(post=answering(answer)) as server:
        measured = driven(tmp_path, server, of_tasks(tmp_path, SUMS, on_failure=["with_error"]))

    rows, steps, verdicts = read_records(measured.run_dir), read_steps(measured.run_dir), read_judged(measured.run_dir)
    first = [(f"s{n}", 1) for n in range(6)]
    assert asked_of(rows) == sorted([*first, ("s4", 2), ("s5", 2)])
    assert [(step.step, step.round, step.role) for step in steps] == [(0, 1, "attempts"), (1, 2, "attempts")]
    assert {(one.task, one.attempt) for one in verdicts if one.task_success} == {*first[:4], ("s4", 2)}
    assert {(one.task, one.attempt) for one in verdicts if one.task_success is False} == {*first[4:], ("s5", 2)}
    assert {one.request_id for one in verdicts} == set(rows["request_id"])
    assert not read_manifest(measured.run_dir).partial
