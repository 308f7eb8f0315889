"""Runs of the real load engine against loopback servers, as short as they can be."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faulty_server import FaultyServer

from harness.load.protocol import Live
from harness.load.shapes.arrivals import ArrivalPlan
from harness.pipeline.measure import measure
from harness.pipeline.options import Measured, RunOptions
from harness.rundir.read import read_records
from harness.rundir.steps import RanStep, read_steps
from harness.scenario import Scenario


def scenario(**more: Any) -> Scenario:
    base: dict[str, Any] = {
        "name": "t",
        "load": {"kind": "closed", "users": [1], "step_s": 0.5, "warmup_s": 0},
        "prompts": {"kind": "synthetic", "input_tokens": 20, "output_tokens": 5},
        "request": {"timeout_s": 1.0},
    }
    return Scenario.model_validate(base | more)


def run_load(out_dir: Path, *urls: str, backend: str = "vllm", work: Scenario | None = None, **more: Any) -> Measured:
    options = RunOptions(
        scenario=work or scenario(), base_dir=out_dir, backend=backend, out_dir=out_dir, urls=urls, **more
    )
    return measure(options, lambda event: None)


def records_of(measured: Measured) -> pd.DataFrame:
    return read_records(measured.run_dir)


def prompts_asked(server: FaultyServer) -> list[str]:
    """Every completion's prompt, sorted."""
    return sorted(x.body["prompt"] for x in server.generations() if x.path.endswith("completions"))


A_LIVE = Live(
    t_s=1.0, process=1, cpu=0.2, loop_lag_p50_s=0.1, loop_lag_max_s=0.3, schedule_lag_max_s=0.0, in_flight=0,
    asked=None, events=0, shared_events=0, connections=0, clock_steps=0, found_closed=0, sent=0, finished=0,
    failed=0, not_sent=0, refused=0, unreachable=0, unreachable_s=0.0, last_error=None,
    output_tokens=0, ttft_p50_s=None, ttft_max_s=None, e2e_p50_s=None,
)  # fmt: skip

OPEN_STEPS: dict[str, Any] = {"kind": "open", "requests_per_s": [20, 40], "step_s": 1, "warmup_s": 0}


def planned_arrivals(seed: int) -> list[list[float]]:
    """When the arrivals of OPEN_STEPS are due, a list a step, in seconds from its start."""
    plan = ArrivalPlan(seed, "poisson")
    return [plan.step(1, 20), plan.step(1, 40)]


def due_in(rows: pd.DataFrame, step: RanStep) -> pd.DataFrame:
    """The rows that were due before a step's end; those of its hold come after."""
    assert step.end_s is not None
    return rows[(rows["step"] == step.step) & (rows["scheduled_s"] < step.end_s)]


def due_by_plan(measured: Measured, planned: list[list[float]]) -> pd.DataFrame:
    """The rows that were due in the run's steps, which are those of the plan."""
    rows, steps = records_of(measured), read_steps(measured.run_dir)
    mine = [due_in(rows, step) for step in steps]
    for due, step, instants in zip(mine, steps, planned, strict=True):
        assert list(due["scheduled_s"] - step.start_s) == pytest.approx(instants, abs=1e-6)
    return pd.concat(mine)
