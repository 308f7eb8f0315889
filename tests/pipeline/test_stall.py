"""A live server that stalls, from the load to the report."""

from pathlib import Path

import numpy as np
from batching_server import batching_server
from load_helpers import run_load, scenario

from harness.base.units import NS_PER_S
from harness.pipeline.analyse import analyse_run
from harness.rundir.files import read_manifest


def test_a_server_that_stalls_is_a_finding_with_its_second(tmp_path: Path) -> None:
    # 10 ms an iteration and 1 ms a request: three users get a token each 13 ms, answers of 30 take 0.4 s
    work = scenario(
        load={"users": [3], "step_s": 6, "warmup_s": 0.5},
        prompts={"kind": "synthetic", "input_tokens": 20, "output_tokens": 30},
        request={"timeout_s": 20},
    )
    pace = {"iteration_s": 0.010, "running_s": 0.001}
    with batching_server(tmp_path, **pace, stall_after=200, stall_s=2.0) as server:
        measured = run_load(tmp_path / "runs", server.url, work=work, backend="openai")
        sent_s = np.array([iteration.sent_s for iteration in server.iterations()])
    zero_s = read_manifest(measured.run_dir).started_monotonic_ns / NS_PER_S
    slow = int(np.diff(sent_s).argmax())
    began_s, went_on_s = sent_s[slow] - zero_s, sent_s[slow + 1] - zero_s

    analysis = analyse_run(measured.run_dir)

    timeline = analysis.metrics.timeline
    assert timeline is not None
    (stall,) = timeline.stalls
    assert 1.9 < stall.length_s <= went_on_s - began_s + 0.1
    assert stall.start_s <= began_s + 0.1
    assert stall.end_s >= went_on_s - 0.1
    assert stall.in_flight == 3
    (found,) = (check for check in analysis.checks if check.code == "server_stalled")
    assert found.level == "warning"
    assert f"at 3 users the server stalled for {stall.length_s:.1f} s from second {stall.start_s:.1f}" in found.message
    report = (measured.run_dir / "report.md").read_text()
    assert "The run over time" in report
    assert f"stalled at second {stall.start_s:.1f}" in report
