"""A load process that is stopped in its window: the stall is the client's, and its step is no measurement."""

import os
import signal
import threading
from pathlib import Path

import psutil
import pytest
from faulty_server import FaultyServer
from load_helpers import scenario

from harness.load.conduct import crew
from harness.load.run_events import RunEvent, StepBegun
from harness.pipeline.analyse import analyse_run
from harness.pipeline.measure import measure
from harness.pipeline.options import Measured, RunOptions
from harness.rundir.files import read_manifest

STOPPED_S = 2.5


def load_processes() -> list[int]:
    children = psutil.Process().children()
    return [p.pid for p in children if "harness.load.process.child" in " ".join(p.cmdline())]


def run_and_stop(out: Path, step_s: float, *, goes_on: bool = True) -> Measured:
    """A run whose first load process is stopped 1 s after its step began."""

    def stop(process: int) -> None:
        os.kill(process, signal.SIGSTOP)
        if goes_on:
            threading.Timer(STOPPED_S, os.kill, (process, signal.SIGCONT)).start()
        else:
            os.kill(os.getpid(), signal.SIGINT)  # the one Ctrl-C

    def on_event(event: RunEvent) -> None:
        if isinstance(event, StepBegun):
            threading.Timer(1.0, stop, (min(load_processes()),)).start()

    with FaultyServer() as server:
        options = RunOptions(
            scenario=scenario(
                load={"users": [2], "step_s": step_s, "warmup_s": 0}, slo={"ttft_p50_s": 5}, request={"timeout_s": 20}
            ),
            base_dir=out, backend="vllm", out_dir=out, urls=[server.url("slow-first-token=0.05")],
        )  # fmt: skip
        return measure(options, on_event)


def test_the_seconds_are_named_and_the_step_is_void(tmp_path: Path) -> None:
    analysis = analyse_run(run_and_stop(tmp_path, 5.0).run_dir)

    (step,) = analysis.metrics.steps
    (found,) = (check for check in step.checks if check.code == "client_stalled")
    assert found.level == "error"
    assert "a load process stood still for" in found.message
    assert step.void == "the client itself stood still, so that its figures are not the server's"
    assert step.verdict == "not_judged"
    assert step.goodput_requests_per_s is None
    assert analysis.metrics.goodput is None
    assert "server_stalled" not in {check.code for check in analysis.checks}
    assert analysis.exit_code == 3


def test_one_that_hangs_is_given_up_after_one_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "SILENT_AT_THE_END_S", 2.0)

    measured = run_and_stop(tmp_path, 60.0, goes_on=False)

    assert measured.interrupted
    manifest = read_manifest(measured.run_dir)
    assert manifest.partial is True
    assert [lost["how"] for lost in manifest.client["lost_workers"]] == ["no sign of life for 2 s"]
