"""The sets of tasks that ship, a seeded part of each, on real engines at temperature 0.

What the model solves is its own affair. That every task is asked, judged and counted, by the policy and within what the
report says, is known beforehand.
"""

import json
from collections import Counter
from math import sqrt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator
from load_helpers import run_load

from harness.engines import ENGINES
from harness.engines.life.running import Engine
from harness.pipeline.analyse import analyse_run
from harness.report.text import percent
from harness.rundir.files import read_manifest
from harness.rundir.judged import Verdict, read_judged
from harness.rundir.read import read_answers, read_records
from harness.scenario import Scenario, TaskPrompts, bundled_scenarios_dir, load_scenario
from harness.scenario.checkers import JsonSchemaChecker
from harness.tasks import first_asks, read_tasks

pytestmark = pytest.mark.engine

# As shipped, but shorter: answers of so many tokens at most (what is cut is judged as it is), and no second attempts
# but where they cost little.
SHORTER: dict[str, dict[str, Any]] = {
    "tasks-json": {"output_tokens": 48, "on_failure": ["repair"]},
    "tasks-classification": {"output_tokens": 8},
    "tasks-arithmetic": {"output_tokens": 32, "on_failure": []},
    "tasks-support": {"output_tokens": 12, "on_failure": []},
}
OUTPUT_TOKENS_OF_JSON = 160
Z = 1.959964  # of a normal distribution's 97.5 %


def part_of(name: str, tasks: int, **prompts: Any) -> Scenario:
    shipped = load_scenario(bundled_scenarios_dir() / f"{name}.yaml").model_dump(mode="json")
    asked = {"max_tasks": tasks, "keep_text": True} | SHORTER[name] | prompts
    load = {"kind": "closed", "users": [4], "warmup_s": 0.2}
    request = shipped["request"] | {"temperature": 0}
    return Scenario.model_validate(shipped | {"load": load, "prompts": shipped["prompts"] | asked, "request": request})


def sample_of(work: Scenario) -> dict[str, int]:
    """The tasks that will be asked, and how many requests each of them takes."""
    asks = first_asks(tasks_of(work), read_tasks(tasks_of(work), bundled_scenarios_dir()), work.seed)
    assert len(asks) == tasks_of(work).max_tasks
    return {ask.task: 1 + len(ask.turns) for ask in asks}


def tasks_of(work: Scenario) -> TaskPrompts:
    assert isinstance(work.prompts, TaskPrompts)
    return work.prompts


def drive(place: Path, engine: Engine, work: Scenario) -> tuple[pd.DataFrame, list[Verdict], Path]:
    place.mkdir(exist_ok=True)
    measured = run_load(place, engine.base_url, backend=ENGINES[engine.name].backend, work=work)
    return read_records(measured.run_dir), read_judged(measured.run_dir), measured.run_dir


def wilson(good: int, n: int) -> tuple[float, float]:
    middle, width = good + Z**2 / 2, Z * sqrt(good * (n - good) / n + Z**2 / 4)
    return (middle - width) / (n + Z**2), (middle + width) / (n + Z**2)


def assert_every_task_is_asked_judged_and_counted(work: Scenario, place: Path, engine: Engine) -> None:
    rows, verdicts, run_dir = drive(place, engine, work)
    requests = sample_of(work)
    last = {one.task: one for one in sorted(verdicts, key=lambda one: one.attempt)}
    answers = Counter(zip(rows["task"], rows["attempt"], strict=True))
    last_answers = rows.sort_values("sent_s").groupby(["task", "attempt"])["request_id"].last()

    assert set(rows["error"].dropna()) == set()
    assert set(rows["task"]) == set(last) == set(requests)
    assert answers == {(one.task, one.attempt): requests[one.task] for one in verdicts}
    assert {one.request_id for one in verdicts} == set(last_answers)  # of a conversation's answers the last one
    assert [one for one in verdicts if one.task_success is None] == []
    for task, verdict in last.items():  # asked again exactly as long as it was not solved
        of_task = [one.attempt for one in verdicts if one.task == task]
        assert set(of_task) == set(range(1, verdict.attempt + 1))
        assert verdict.task_success or verdict.attempt == tasks_of(work).attempts

    solved, n = sum(one.task_success is True for one in last.values()), len(requests)
    analysis = analyse_run(run_dir)
    found = analysis.metrics.tasks
    assert found is not None
    assert (found.n, found.judged, found.solved) == (n, n, solved)
    assert found.success.rate == pytest.approx(solved / n)
    assert (found.success.low, found.success.high) == pytest.approx(wilson(solved, n), abs=1e-6)
    assert f"{percent(solved / n)}" in (run_dir / "report.md").read_text()
    assert not read_manifest(run_dir).partial


@pytest.mark.parametrize("name", SHORTER)
def test_a_seeded_twelve_of_each_set_on_llama_server(llama_server_engine: Engine, tmp_path: Path, name: str) -> None:
    assert_every_task_is_asked_judged_and_counted(part_of(name, 12), tmp_path, llama_server_engine)


@pytest.mark.parametrize("name", SHORTER)
def test_a_seeded_four_of_each_set_on_vllm(vllm_engine: Engine, tmp_path: Path, name: str) -> None:
    assert_every_task_is_asked_judged_and_counted(part_of(name, 4), tmp_path, vllm_engine)


@pytest.mark.parametrize("engine_name", ["llama_server", "vllm"])
def test_constrained_answers_that_are_whole_parse_and_fit(
    request: pytest.FixtureRequest, tmp_path: Path, engine_name: str
) -> None:
    engine: Engine = request.getfixturevalue(f"{engine_name}_engine")
    work = part_of("tasks-json", 4, constrained="json_schema", on_failure=[], output_tokens=OUTPUT_TOKENS_OF_JSON)

    rows, verdicts, run_dir = drive(tmp_path, engine, work)

    checkers = {task.id: task.checker for task in read_tasks(tasks_of(work), bundled_scenarios_dir())}
    whole = rows[rows["finish_reason"] == "stop"]
    texts = read_answers(run_dir)
    assert len(verdicts) == len(rows) == 4
    assert len(whole) >= 1
    for task, request_id in zip(whole["task"], whole["request_id"], strict=True):
        checker = checkers[task]
        assert isinstance(checker, JsonSchemaChecker)
        Draft202012Validator(checker.schema_).validate(json.loads(texts[request_id]))
    assert not any("did not keep to the schema" in note for note in read_manifest(run_dir).notes)
