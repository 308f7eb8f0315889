"""What shapes say of their load and goodput, held against the log of the server that served them."""

from pathlib import Path
from typing import Any

import pytest
from batching_server import Served, batching_server
from load_helpers import run_load, scenario

from harness.metrics.steps import compute_metrics
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records
from harness.rundir.results import Metrics, Step
from harness.rundir.steps import read_steps

# 30 tokens of 10 ms and 4 ms for each running request: 0.42 s alone, and never more than 8.3 requests/s
SLOW = {"iteration_s": 0.010, "running_s": 0.004}


def measured(directory: Path, load: dict[str, Any], **more: Any) -> tuple[Metrics, list[Served]]:
    """The figures of a load, and what the server served on the run's clock."""
    work = scenario(
        load=load,
        prompts={"kind": "synthetic", "input_tokens": 20, "output_tokens": 30},
        request={"timeout_s": 30},
        slo={"e2e_p95_s": 3},
    )
    with batching_server(directory, **SLOW) as server:
        run_dir = run_load(directory, server.url, work=work, backend="openai", **more).run_dir
    began_s = read_manifest(run_dir).started_monotonic_ns / 1e9
    served = [
        Served(
            s.request_id, s.arrived_s - began_s, s.first_s - began_s, s.ended_s - began_s, s.prompt_tokens,
            s.output_tokens, s.cut,
        )
        for s in server.served()
    ]  # fmt: skip
    return compute_metrics(read_records(run_dir), read_steps(run_dir), work), served


def served_in(step: Step, served: list[Served]) -> float:
    """Requests per second of a step's window by the server's log, each by the share of its service in it."""
    begin_s, end_s = step.window.start_s, step.window.end_s
    shares = [
        max(min(s.ended_s, end_s) - max(s.arrived_s, begin_s), 0) / (s.ended_s - s.arrived_s)
        for s in served
        if not s.cut
    ]
    return sum(shares) / (end_s - begin_s)


def test_a_log_that_overloads_the_server_has_the_goodput_of_the_part_that_does_not(tmp_path: Path) -> None:
    # 5 requests/s for 4 s, 20 for 4 s, of which 8 are served, then 3 under their backlog, and none after 12 s
    log = [n / 5 for n in range(20)] + [4 + n / 20 for n in range(80)] + [8 + n / 3 for n in range(12)]
    lines = ["arrival_s,input_tokens,output_tokens", *(f"{due_s},20,30" for due_s in log)]
    (tmp_path / "log.csv").write_text("\n".join(lines))

    metrics, served = measured(tmp_path, {"kind": "trace", "file": "log.csv", "step_s": 4}, workers=2)

    light, heavy, after = metrics.steps
    assert [step.load.requests_per_s for step in metrics.steps] == pytest.approx([5, 20, 3])
    assert [step.slo_met for step in metrics.steps] == [True, False, None]
    assert (light.over_saturated, heavy.over_saturated, after.inherited_queue) == (False, True, True)
    assert (after.requests, after.failed) == (12, 0)  # waited for behind the log's end
    assert metrics.goodput is not None
    assert metrics.goodput.step == 0
    assert metrics.goodput.requests_per_s == pytest.approx(served_in(light, served), rel=0.02)
    assert heavy.requests_per_s == pytest.approx(served_in(heavy, served), rel=0.02)


def test_a_ramp_that_falls_from_an_overload_has_no_goodput(tmp_path: Path) -> None:
    load = {"kind": "ramp", "start": 24, "end": 3, "ramp_s": 6, "slices": 3, "arrivals": "constant"}

    metrics, served = measured(tmp_path, load)

    first, *others = metrics.steps
    assert first.slo_met is False
    assert all(step.inherited_queue for step in others)
    assert metrics.goodput is None
    assert not metrics.is_judged
    assert first.requests_per_s == pytest.approx(served_in(first, served), rel=0.02)


def test_a_ramp_of_users_ends_with_all_of_them(tmp_path: Path) -> None:
    load = {"kind": "ramp", "over": "users", "start": 1, "end": 4, "ramp_s": 3, "slices": 1}

    metrics, served = measured(tmp_path, load)

    (step,) = metrics.steps
    assert step.load.users == 2  # one, two and three, a second each
    held_s = step.window.end_s + 0.1  # the fourth came at the end of the ramp
    assert sum(s.arrived_s <= held_s < s.ended_s for s in served) == 4
    assert step.requests_per_s == pytest.approx(served_in(step, served), rel=0.02)
