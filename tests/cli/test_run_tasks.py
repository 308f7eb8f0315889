"""`breakeven run` of tasks from the outside: said beforehand, interrupted, killed, refused."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from endpoint import Call, Endpoint
from task_answers import answering
from task_runs import SUMS

from harness import cli
from harness.rundir import files
from harness.rundir.judged import read_judged
from harness.rundir.read import read_records

SCENARIO = """\
name: sums
load: {{kind: closed, users: [2], warmup_s: 0.2}}
prompts: {{kind: tasks, file: tasks.jsonl, checker: {{kind: exact}}, on_failure: [with_error, again]{more}}}
request: {{api: chat, timeout_s: 5}}
slo: {{preset: batch}}
"""


def write(place: Path, more: str = "") -> Path:
    (place / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in SUMS))
    path = place / "sums.yaml"
    path.write_text(SCENARIO.format(more=more))
    return path


@contextmanager
def in_its_second_round(place: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A run that is asking its second round, which does not come to an end."""
    path, out = write(place), place / "out"
    told: list[Call] = []

    def answer(call: Call) -> str:
        if len(call.body["messages"]) > 1:
            told.append(call)
            time.sleep(0.1 if len(told) < 6 else 3)
        return "no idea"

    with Endpoint(post=answering(answer)) as server:
        command = [sys.executable, "-m", "harness", "run", str(path), "--url", server.url, "--out", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while len(told) < 8 and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        (run_dir,) = out.iterdir()
        yield process, run_dir


def test_an_interrupt_in_the_second_round_ends_with_130_and_a_report_of_the_first(tmp_path: Path) -> None:
    with in_its_second_round(tmp_path) as (process, run_dir):
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 130
    assert files.read_manifest(run_dir).partial
    assert b"cut short" in stdout
    assert b"Traceback" not in stderr
    assert len([one for one in read_judged(run_dir) if one.attempt == 1 and one.task_success is False]) == 6


def test_a_run_that_was_killed_in_its_second_round_can_be_reported(tmp_path: Path) -> None:
    with in_its_second_round(tmp_path) as (process, run_dir):
        process.kill()
        process.communicate(timeout=30)

    assert cli.invoke(["report", str(run_dir)]) in {0, 3}
    metrics = json.loads((run_dir / "metrics.json").read_text())
    tasks = metrics["tasks"]
    assert (tasks["n"], tasks["solved"]) == (6, 0)
    assert tasks["not_judged"] > 0  # what was answered last, nobody has judged
    assert [one.task_success for one in read_judged(run_dir)] == [False] * 6  # of the first round
    assert len(read_records(run_dir)) > 6


def test_a_dry_run_says_tasks_and_the_most_attempts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path)

    assert cli.invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--dry-run"]) == 0

    said = capsys.readouterr().out
    assert "tasks          6, at most 3 attempts at each" in said
    assert "requests       6 to 18 " in said


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ("", ["--remote-workers", "1"], "--remote-workers do not drive a task run"),
        (
            ", judge: {url: 'http://127.0.0.1:9', model: m, api_key_env: NO_SUCH_KEY}",
            [],
            "`prompts.judge`: --api-key-env NO_SUCH_KEY: no such environment variable",
        ),
        (
            ", judge: {url: 'ftp://127.0.0.1', model: m}",
            [],
            "`prompts.judge`: --url 'ftp://127.0.0.1' is not an http://",
        ),
    ],
)
def test_whoever_cannot_be_asked_is_said_before_anything_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: str, options: list[str], said: str
) -> None:
    path = write(tmp_path, more)

    code = cli.invoke(["run", str(path), "--url", "http://127.0.0.1:9", "--out", str(tmp_path / "out"), *options])

    assert code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
