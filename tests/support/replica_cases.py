"""A run over several URLs, written by hand: 60 requests a step, one each 0.5 s, each served in 1 s."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from harness.checks.run import Measured, with_checks
from harness.metrics.replicas import driven_of
from harness.metrics.server import server_side
from harness.metrics.steps import compute_metrics
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

URLS = ("http://a:1", "http://b:1")
STEP_S = 30.0
SCENARIO = Scenario.model_validate(
    {"name": "t", "load": {"kind": "open", "requests_per_s": [2, 4], "step_s": STEP_S}, "slo": {"ttft_p50_s": 1}}
)

Change = Callable[[int, int], dict[str, Any]]
"""What is other about a step's n-th request (from 0)."""


def ran(steps: int) -> list[RanStep]:
    """Step k is 30 (k + 1) requests, in 30 s each."""
    return [
        RanStep(
            step=k, load=LoadOfStep(kind="open", requests_per_s=2.0 * (k + 1)), start_s=k * STEP_S,
            window_start_s=k * STEP_S, end_s=(k + 1) * STEP_S,
        )
        for k in range(steps)
    ]  # fmt: skip


def rows(steps: int, urls: tuple[str, ...], change: Change = lambda step, n: {}) -> list[dict[str, Any]]:
    """60 requests a step and 2 a second in the first, 120 in the second and so on, over the URLs in turn."""
    out = []
    for step in range(steps):
        for n in range(60 * (step + 1)):
            sent_s = step * STEP_S + n / (2 * (step + 1))
            out.append(
                {
                    "request_id": f"{step}-{n}", "step": step, "scheduled_s": sent_s, "sent_s": sent_s,
                    "first_token_s": sent_s + 0.5, "finished_s": sent_s + 1.0, "prompt_tokens": 100,
                    "output_tokens": 11, "requested_output_tokens": 11, "token_source": "server", "events": 11,
                    "http_status": 200, "url": urls[n % len(urls)], "process": 1,
                } | change(step, n)
            )  # fmt: skip
    return out


REFUSED: dict[str, Any] = {
    "error": "connect",
    "sent_s": None,
    "first_token_s": None,
    "finished_s": None,
    "output_tokens": None,
}


def manifest(urls: tuple[str, ...] = URLS, client: dict[str, Any] | None = None, **instance: Any) -> RunManifest:
    return RunManifest(
        scenario=SCENARIO.model_dump(mode="json"), scenario_digest="", backend="vllm", engine={"name": "vllm"},
        model="m", quantization=None, instance={"replicas_driven": len(urls)} | instance, client=client or {}, seed=1,
        started_at="", started_monotonic_ns=0, harness_version="", git_revision=None, urls=list(urls),
    )  # fmt: skip


def analysed(requests: list[dict[str, Any]], run: RunManifest, steps: int = 1) -> Metrics:
    """The figures with their findings."""
    records, driven = typed(requests), driven_of(run, pd.DataFrame())
    server = server_side(None, "vllm", driven.urls)
    metrics = compute_metrics(records, ran(steps), SCENARIO, server=server, driven=driven)
    return with_checks(metrics, Measured(records, pd.DataFrame(), run, SCENARIO, server))


def codes(metrics: Metrics) -> dict[str, str]:
    """Every finding's level by its code."""
    return {one.code: one.level for step in metrics.steps for one in step.checks} | {
        one.code: one.level for one in metrics.checks
    }
