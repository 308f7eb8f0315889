"""Runs of the real load engine against loopback servers, as short as they can be."""

from pathlib import Path
from typing import Any

import pandas as pd

from harness import store
from harness.measure import Measured, RunOptions, measure
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
    return store.read_records(measured.run_dir)
