"""Several load processes: the same work to the last byte, split exactly; one that dies is missed."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from faulty_server import FaultyServer
from load_helpers import (
    A_LIVE,
    OPEN_STEPS,
    due_by_plan,
    planned_arrivals,
    prompts_asked,
    records_of,
    run_load,
    scenario,
)

from harness.checks.load import load_checks
from harness.load.conduct.live import merged
from harness.load.protocol import Doing
from harness.load.run_events import RunEvent, StepBegun
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir import files
from harness.rundir.steps import read_steps

pytestmark = pytest.mark.slow  # real loads of many seconds

PROMPTS = {"kind": "synthetic", "input_tokens": 30, "output_tokens": 3}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with FaultyServer() as running:
        yield running


def test_any_number_of_processes_sends_the_same_plan(tmp_path: Path) -> None:
    work, planned = scenario(load=OPEN_STEPS, prompts=PROMPTS, seed=5), planned_arrivals(5)
    asked = []

    for workers in (1, 3):
        with FaultyServer() as server:
            measured = run_load(tmp_path, server.url(), work=work, workers=workers, salt="s")
            asked.append(set(prompts_asked(server)))
        rows = due_by_plan(measured, planned)
        # arrival i is process i mod N's
        by_process = rows.groupby("process").size()
        assert sorted(by_process) == sorted(len([*planned[0], *planned[1]][w::workers]) for w in range(workers))
        assert files.read_manifest(measured.run_dir).client["workers"] == workers

    assert len(asked[0] & asked[1]) >= len(planned[0] + planned[1])  # a hold is as long as it is


def test_users_are_split_and_ask_what_they_would_ask_alone(server: FaultyServer, tmp_path: Path) -> None:
    work = scenario(load={"users": [1, 3], "step_s": 1, "warmup_s": 0}, prompts=PROMPTS, seed=2)

    measured = run_load(tmp_path, server.url("slow-first-token=0.1"), work=work, workers=2, salt="s")

    rows, steps = records_of(measured), read_steps(measured.run_dir)
    assert rows[rows["step"] == 0]["process"].nunique() == 1  # one user lives in the first process
    for step in steps:
        middle_s = (step.start_s + step.end_s) / 2
        open_then = rows[(rows["scheduled_s"] <= middle_s) & (rows["finished_s"].fillna(1e9) > middle_s)]
        assert len(open_then) in {step.load.users - 1, step.load.users}
    # what user 1 asks first does not depend on which process it lives in
    with FaultyServer() as other:
        run_load(tmp_path, other.url("slow-first-token=0.1"), work=work, workers=1, salt="s")
        alone = prompts_asked(other)
    assert len(set(prompts_asked(server)) & set(alone)) >= 0.8 * min(len(alone), len(rows))


def test_a_process_that_dies_is_noticed_and_the_run_is_marked(server: FaultyServer, tmp_path: Path) -> None:
    said: list[str] = []

    def on_event(event: RunEvent) -> None:
        if isinstance(event, StepBegun):
            children = [p for p in psutil.Process().children() if "harness.load.process.child" in " ".join(p.cmdline())]
            os.kill(max(child.pid for child in children), signal.SIGKILL)
        elif isinstance(event, Doing):
            said.append(event.text)

    options = RunOptions(
        scenario=scenario(load={"users": [4], "step_s": 1.5, "warmup_s": 0}),
        base_dir=tmp_path, backend="openai", out_dir=tmp_path, urls=[server.url("slow-first-token=0.05")],
        workers=2,
    )  # fmt: skip
    measured = measure(options, on_event)

    manifest = files.read_manifest(measured.run_dir)
    assert manifest.partial is True
    assert [lost["how"] for lost in manifest.client["lost_workers"]] == ["signal 9"]
    assert any("its share of the load is lost" in text for text in said)
    assert [check.code for check in load_checks("closed", manifest.client)] == ["worker_lost"]
    rows = records_of(measured)
    assert len(rows) > 5  # the other went on to the end
    assert rows["scheduled_s"].max() > read_steps(measured.run_dir)[0].start_s + 1


def test_samples_of_several_processes_are_shown_as_one() -> None:
    one = replace(A_LIVE, in_flight=3, sent=10, output_tokens=100, unreachable_s=4.0, ttft_p50_s=0.4)
    other = replace(
        one, cpu=0.5, in_flight=2, failed=1, refused=2, unreachable_s=1.0, last_error="timeout", ttft_p50_s=None,
    )  # fmt: skip

    both = merged([one, other])

    assert (both.in_flight, both.sent, both.failed, both.output_tokens) == (5, 20, 1, 200)
    assert (both.refused, both.unreachable_s) == (2, 1.0)  # for as long as all of them say so
    assert (both.cpu, both.ttft_p50_s, both.last_error) == (0.5, 0.4, "timeout")
    assert merged([one]) is one


def test_failures_of_several_processes_are_added_by_kind_and_the_worst_percentile_is_shown() -> None:
    one = replace(A_LIVE, errors={"timeout": 2}, ttft_p99_s=0.4, tpot_p50_s=0.02)
    other = replace(A_LIVE, errors={"timeout": 1, "http_503": 4}, ttft_p99_s=0.9, tpot_p50_s=0.04)

    both = merged([one, other])

    assert both.errors == {"timeout": 3, "http_503": 4}
    assert (both.ttft_p99_s, both.tpot_p50_s) == (0.9, pytest.approx(0.03))
