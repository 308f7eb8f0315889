"""Task runs of a few sums, as short as they can be."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from endpoint import Call, Endpoint
from load_helpers import run_load

from harness.pipeline.options import Measured
from harness.scenario import Scenario

SUMS = [{"id": f"s{n}", "prompt": f"What is {n} plus {n}?", "expected": str(2 * n)} for n in range(6)]


def of_tasks(place: Path, tasks: list[dict[str, Any]], load: dict[str, Any] | None = None, **prompts: Any) -> Scenario:
    (place / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    return Scenario.model_validate(
        {
            "name": "t",
            "load": load or {"kind": "closed", "users": [2], "warmup_s": 0.2},
            "prompts": {"kind": "tasks", "file": "tasks.jsonl", "checker": {"kind": "exact"}, **prompts},
            "request": {"timeout_s": 2, "api": "chat"},
            "slo": {"preset": "batch"},
        }
    )


def driven(place: Path, server: Endpoint, work: Scenario, **more: Any) -> Measured:
    return run_load(place, server.url, backend="openai", work=work, **more)


def number_in(call: Call) -> int:
    return int(call.body["messages"][0]["content"].split(" plus ")[1].split("?")[0])


def asked_of(rows: pd.DataFrame) -> list[tuple[str, int]]:
    return sorted(zip(rows["task"], rows["attempt"], strict=True))
