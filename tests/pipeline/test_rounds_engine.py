"""Tasks on a real llama-server: rounds, verdicts, and an engine that dies in the second of them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.rundir import files
from harness.rundir.judged import read_judged
from harness.rundir.read import read_records, read_rows
from harness.rundir.steps import read_steps

pytestmark = pytest.mark.engine

SCENARIO = """\
name: numbers
load: {kind: closed, users: [2], warmup_s: 1}
prompts: {kind: tasks, file: numbers.jsonl, on_failure: [with_error], output_tokens: 12, keep_text: true}
request: {api: chat, timeout_s: 60}
slo: {preset: batch}
"""
TASKS = [
    *({"id": f"any{n}", "prompt": f"Say {n}.", "checker": {"kind": "regex", "pattern": "."}} for n in range(6)),
    *({"id": f"never{n}", "prompt": f"Say {n}.", "checker": {"kind": "exact"}, "expected": "\u2603"} for n in range(6)),
]


def command_of(place: Path) -> list[str]:
    (place / "numbers.jsonl").write_text("".join(json.dumps(task) + "\n" for task in TASKS))
    (place / "numbers.yaml").write_text(SCENARIO)
    options = ["--engine", "llama_server", "--out", str(place / "out")]
    return [sys.executable, "-m", "harness", "run", str(place / "numbers.yaml"), *options]


def test_two_rounds_on_llama_server(tmp_path: Path) -> None:
    done = subprocess.run(command_of(tmp_path), capture_output=True, text=True, timeout=300, check=False)

    (run_dir,) = (tmp_path / "out").iterdir()
    verdicts = {(one.task, one.attempt): one.task_success for one in read_judged(run_dir)}
    metrics = json.loads((run_dir / "metrics.json").read_text())
    rows, all_rows = read_records(run_dir), read_rows(run_dir)
    assert done.returncode in {0, 3}, done.stderr
    assert verdicts == (
        {(f"any{n}", 1): True for n in range(6)} | {(f"never{n}", k): False for n in range(6) for k in (1, 2)}
    )
    assert [(step.round, step.role) for step in read_steps(run_dir)] == [(1, "attempts"), (2, "attempts")]
    assert metrics["tasks"]["success"]["rate"] == 0.5
    assert metrics["tasks"]["attempts_per_task"] == 1.5
    assert len(rows) == 18
    assert len(all_rows) > 18  # repeats held the load
    assert (rows["output_tokens"] <= 12).all()
    assert not files.read_manifest(run_dir).partial


def test_an_engine_that_dies_in_the_second_round_keeps_what_was_judged(tmp_path: Path) -> None:
    process = subprocess.Popen(command_of(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "round 2 of 2" in line:
            break
    time.sleep(0.5)
    for child in psutil.Process(process.pid).children(recursive=True):
        if child.name().startswith("llama-server"):
            child.send_signal(signal.SIGKILL)
    stdout, rest = process.communicate(timeout=120)

    (run_dir,) = (tmp_path / "out").iterdir()
    assert process.returncode == 1, stdout
    assert "llama_server died during the run" in rest
    assert "Traceback" not in said + rest
    assert files.read_manifest(run_dir).partial
    assert len([one for one in read_judged(run_dir) if one.attempt == 1 and one.task_success is not None]) == 12
    assert json.loads((run_dir / "metrics.json").read_text())["tasks"]["solved"] == 6
