"""Runs of the real load engine against loopback servers, as short as they can be."""

from pathlib import Path
from typing import Any

import pandas as pd
from faulty_server import FaultyServer

from harness.load.shapes.arrivals import ArrivalPlan
from harness.pipeline.measure import Measured, RunOptions, measure
from harness.rundir.read import read_records
from harness.scenario import Scenario


def scenario(**more: Any) -> Scenario:
    base: dict[str, Any] = {
        "name": "t",
        "load": {"kind": "closed", "users": [1], "step_s": 0.5, "warmup_s": 0},
        "prompts": {"kind": "synthetic", "input_tokens": 20, "output_tokens": 5},
        "request": {"timeout_s": 1.0},
    }
    return Scenario.model_validate(base | more)


def run_load(
    out_dir: Path, *urls: str, backend: str = "vllm", work: Scenario | None = None, **more: Any
) -> Measured:
    options = RunOptions(
        scenario=work or scenario(), base_dir=out_dir, backend=backend, out_dir=out_dir, urls=urls, **more
    )
    return measure(options, lambda event: None)


def records_of(measured: Measured) -> pd.DataFrame:
    return read_records(measured.run_dir)


def prompts_asked(server: FaultyServer) -> list[str]:
    """Every completion's prompt, sorted."""
    return sorted(x.body["prompt"] for x in server.generations() if x.path.endswith("completions"))


OPEN_STEPS: dict[str, Any] = {"kind": "open", "requests_per_s": [20, 40], "step_s": 1, "warmup_s": 0}


def planned_arrivals(seed: int) -> list[float]:
    """When the arrivals of OPEN_STEPS are due, in seconds from the first step's start."""
    plan = ArrivalPlan(seed, "poisson")
    return plan.step(1, 20) + [1 + t for t in plan.step(1, 40)]
