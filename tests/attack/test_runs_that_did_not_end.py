"""A run whose main process was killed, or that still goes on, is never taken for a whole one."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from faulty_server import FaultyServer

from harness.cli import invoke
from harness.rundir import files

SCENARIO = """\
name: attacked
load: %s
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 5}
request: {timeout_s: 5}
slo: {ttft_p50_s: 2}
"""
WHOLE = "{kind: closed, users: [2], step_s: 1.5, warmup_s: 0}"
LONG = "{kind: closed, users: [2, 3], step_s: 2, warmup_s: 0}"
SEARCH = "{kind: search, over: users, low: 1, high: 9, step_s: 1.5, warmup_s: 0, max_step_s: 3, max_probes: 9}"


@dataclass(frozen=True)
class Killed:
    """What was left of a run, and what a report said while it still went on."""

    run_dir: Path
    code_under_way: int


def command(place: Path, url: str, load: str) -> list[str]:
    path = place / "attacked.yaml"
    path.write_text(SCENARIO % load)
    box = ["--backend", "vllm", "--instance", "g5.12xlarge", "--out", str(place / "out")]
    return [sys.executable, "-m", "harness", "run", str(path), "--url", url, *box]


def killed(place: Path, url: str, load: str) -> Killed:
    """Kill the main process in its second step, when the first one is whole."""
    place.mkdir()
    process = subprocess.Popen(command(place, url, load), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    load_processes: list[psutil.Process] = []
    try:
        until_s = time.monotonic() + 60
        while not any('"step":1' in path.read_text() for path in place.glob("out/*/steps.jsonl")):
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.1)
        (run_dir,) = (place / "out").iterdir()
        load_processes = psutil.Process(process.pid).children()
        code = invoke(["report", str(run_dir)])
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    psutil.wait_procs(load_processes, timeout=30)  # they write down what they have
    return Killed(run_dir, code)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with FaultyServer() as running:
        yield running.url("slow-first-token=0.05")


@pytest.fixture(scope="module", params=[LONG, SEARCH], ids=["ladder", "search"])
def dead(request: pytest.FixtureRequest, server: str, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    return killed(tmp_path_factory.mktemp("dead") / "run", server, request.param)


@pytest.fixture(scope="module")
def whole(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    subprocess.run(command(place, server, WHOLE), check=False, capture_output=True, timeout=60)
    (run_dir,) = (place / "out").iterdir()
    return run_dir


def test_a_run_that_ended_says_so(whole: Path) -> None:
    assert files.read_manifest(whole).partial is False


def test_a_run_that_still_goes_on_is_not_to_be_decided_on(dead: Killed) -> None:
    assert dead.code_under_way == 3


def test_a_run_that_was_killed_is_not_to_be_decided_on(dead: Killed, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.read_manifest(dead.run_dir).partial is True

    assert invoke(["report", str(dead.run_dir)]) == 3

    said = " ".join(capsys.readouterr().out.split())
    assert "the run has not said how it ended: it was cut short or killed, could not write, or still goes on" in said


@pytest.mark.parametrize("is_first", [True, False], ids=["baseline", "later"])
def test_a_run_that_was_killed_is_neither_better_nor_worse(dead: Killed, whole: Path, is_first: bool) -> None:
    runs = [str(dead.run_dir), str(whole)]

    assert invoke(["compare", *(runs if is_first else reversed(runs)), "--fail-over", "5%"]) == 3


def test_a_run_that_was_killed_is_not_pooled(dead: Killed, whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["report", str(whole), str(dead.run_dir), "--pool"]) == 2

    assert "`partial` is true, a run that was cut short or has not ended is not pooled" in capsys.readouterr().err
