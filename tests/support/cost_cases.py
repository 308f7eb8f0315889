"""Cases that several tests of the money share: random comparisons, and a run on a g5.12xlarge."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from harness.demand.demand import Demand
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Goodput, Metrics, Step

VECTORS = {v["id"]: v for v in json.loads((Path(__file__).parent.parent / "data" / "cost.json").read_text())}
"""Inputs with exact expected numbers, by id (AN-08 ...)."""

prices = st.integers(1, 5000).map(lambda cents: cents / 100)
fixed = st.one_of(st.just(0.0), st.integers(1, 2_000_000).map(lambda cents: cents / 100))


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    """Decide inputs of any plausible size, exact in decimal."""
    return {
        "workload": {
            "classes": [{"input_tokens": draw(st.integers(1, 20_000)), "output_tokens": draw(st.integers(0, 4000))}],
            "peak_to_mean": draw(st.sampled_from([1, 1.25, 2, 2.5])),
        },
        "self_host": {
            "usd_per_hour": draw(prices),
            "goodput_requests_per_s": draw(st.integers(1, 20_000)) / 1000,
            "max_load": draw(st.sampled_from([1, 0.8, 0.5])),
            "min_instances": draw(st.integers(1, 4)),
            "fixed_usd_per_month": draw(fixed),
        },
        "api": {
            "input_usd_per_mtok": draw(prices),
            "output_usd_per_mtok": draw(prices),
            "fixed_usd_per_month": draw(fixed),
        },
    }


ARMS = ["anthropic:claude-sonnet-4-6", "openai:gpt-4.1-mini"]  # 3/15 and 0.40/1.60, whatever is newest

G5 = {"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": None, "replicas": 1}


def manifest(model: str | None = "meta-llama/Llama-3.3-70B-Instruct", **instance: Any) -> RunManifest:
    return RunManifest(
        scenario={},
        scenario_digest="",
        backend="vllm",
        engine={},
        model=model,
        quantization=None,
        instance={**G5, **instance},
        client={},
        seed=1,
        started_at="2026-11-24T00:00:00Z",
        started_monotonic_ns=0,
        harness_version="0",
        git_revision=None,
    )


def step(number: int, given: float, output: float, **more: Any) -> Step:
    """A step of 100 s with so many input and output tokens a second."""
    load, window = {"kind": "closed", "users": 16 * (number + 1)}, {"start_s": 0, "end_s": 100}
    facts = {"step": number, "load": load, "window": window, "requests": 60}
    rates = {"input_tokens_per_s": given, "output_tokens_per_s": output}
    return Step.model_validate(facts | rates | more)


def metrics(goodput: float | None = 0.6, tokens: tuple[float | None, float | None] = (800, 250)) -> Metrics:
    """Two steps; the first sets the goodput, the second is busier and beyond the limits."""
    lengths = {"mean_input_tokens": tokens[0], "mean_output_tokens": tokens[1]}
    best = None
    if goodput is not None:
        ends = {"low": min(goodput, 0.58), "high": max(goodput, 0.62)}
        best = Goodput(requests_per_s=goodput, step=0, **ends)
    return Metrics(steps=(step(0, 480, 150, **lengths), step(1, 800, 250, **lengths)), goodput=best)


def smallest(**changes: Any) -> Demand:
    """400,000 tasks of 800/250 and nothing else."""
    classes = [{"input_tokens": 800, "output_tokens": 250}]
    return Demand.model_validate({"name": "t", "tasks_per_month": 400000, "classes": classes, **changes})


def given(**changes: Any) -> dict[str, Any]:
    """Sonnet's 3/15 on 800/250 tokens (0.00615 USD) against 5.672 USD/h at 0.6 requests/s, unless changed."""
    inputs: dict[str, Any] = {
        "workload": {"classes": [{"input_tokens": 800, "output_tokens": 250}]},
        "self_host": {"usd_per_hour": 5.672, "goodput_requests_per_s": 0.6},
        "api": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15},
    }
    for path, value in changes.items():
        part, key = path.split("__")
        inputs[part][key] = value
    return inputs
