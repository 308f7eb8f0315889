"""Pages of /metrics and a run of one step (2 s to 10 s, 100 tokens/s), made by hand."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from harness.checks.run import Measured, with_checks
from harness.metrics.server import server_side
from harness.metrics.steps import compute_metrics
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.records import COLUMNS, RequestRecord
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

VLLM = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="m"}} {running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{engine="0",model_name="m"}} 0.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{engine="0",model_name="m"}} {usage}
# TYPE vllm:num_preemptions_total counter
vllm:num_preemptions_total{{engine="0",model_name="m"}} {preemptions}
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{{engine="0",model_name="m"}} {queries}
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{{engine="0",model_name="m"}} {hits}
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{{engine="0",model_name="m"}} {queries}
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{engine="0",model_name="m"}} {tokens}
# TYPE vllm:request_success_total counter
vllm:request_success_total{{finished_reason="stop",model_name="m"}} 0.0
vllm:request_success_total{{finished_reason="length",model_name="m"}} {done}
# TYPE vllm:request_queue_time_seconds histogram
vllm:request_queue_time_seconds_bucket{{le="0.3",model_name="m"}} {done}
vllm:request_queue_time_seconds_bucket{{le="+Inf",model_name="m"}} {done}
vllm:request_queue_time_seconds_count{{model_name="m"}} {done}
vllm:request_queue_time_seconds_sum{{model_name="m"}} {queue_s}
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_count{{model_name="m"}} {done}
vllm:time_to_first_token_seconds_sum{{model_name="m"}} {queue_s}
"""
AT_FIRST: dict[str, Any] = {
    "running": 0, "usage": 0.0, "preemptions": 0, "queries": 0, "hits": 0, "tokens": 0, "done": 0, "queue_s": 0.0,
}  # fmt: skip


def scrapes(*pages: tuple[float, str], url: str = "http://a") -> list[dict[str, Any]]:
    """Rows as the scraper writes them: only lines that are new."""
    rows, before = [], set[str]()
    for t_s, page in pages:
        lines = page.splitlines()
        rows.append({"t_s": t_s, "url": url, "up": True, "lines": [line for line in lines if line not in before]})
        before = set(lines)
    return rows


def vllm(**values: Any) -> str:
    return VLLM.format(**(AT_FIRST | values))


def steady(seconds: int, tokens_per_s: float, **more: Any) -> list[tuple[float, str]]:
    return [(float(t), vllm(tokens=t * tokens_per_s, done=t, running=2, **more)) for t in range(seconds + 1)]


SCENARIO = Scenario.model_validate(
    {
        "name": "t",
        "load": {"kind": "closed", "users": [2], "step_s": 10, "warmup_s": 2},
        "prompts": {"input_tokens": 10, "output_tokens": 50},
        "slo": {"preset": "batch"},
    }
)


STEP = RanStep(step=0, load=LoadOfStep(kind="closed", users=2), start_s=0, window_start_s=2, end_s=10)


def run(
    frame: pd.DataFrame | None,
    tokens: int | None = 50,
    urls: Sequence[str] = (),
    end_s: float | None = None,
    **server_times: float,
) -> Metrics:
    """The run's figures and findings, with what was scraped; its client never sampled anything. `end_s`: from an
    answer's last token to its end.
    """
    rows = [
        RequestRecord(
            request_id=f"{user}-{n}", step=0, scheduled_s=float(n), sent_s=float(n), first_token_s=n + 0.01,
            finished_s=n + 0.99, answered_s=None if end_s is None else n + 0.99 + end_s,
            prompt_tokens=10, output_tokens=tokens, requested_output_tokens=50,
            token_source="server" if tokens else "unknown", events=50,
            **server_times,
        ).to_dict()
        for user in range(2)
        for n in range(10)
    ]  # fmt: skip
    records = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"error": "string", "output_tokens": "Int64"})
    engine: dict[str, Any] = {"name": "vllm", "version": "0.32.0", "flags": None}
    manifest = RunManifest(
        scenario=SCENARIO.model_dump(mode="json"), scenario_digest="", backend="vllm", engine=engine, model="m",
        quantization=None, instance={}, client={}, seed=1, started_at="", started_monotonic_ns=0,
        harness_version="", git_revision=None,
    )  # fmt: skip
    server = server_side(frame, engine["name"], urls)
    metrics = compute_metrics(records, [STEP], SCENARIO, server=server)
    return with_checks(metrics, Measured(records, pd.DataFrame(), manifest, SCENARIO, server))
