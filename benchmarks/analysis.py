"""How long the analysis of a very large run takes: 1,000,000 requests of 16 tokens, every arrival kept.

    python benchmarks/analysis.py [REQUESTS]

Makes such a run in a temporary directory, runs `breakeven report` on it in a process of its own, and prints its
seconds and its peak memory. Exit code 1 when it takes 6 s or more, or 1.2 GB or more.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.rundir import files
from harness.rundir.manifest import RunManifest
from harness.scenario import Scenario

ROOT = Path(__file__).parent.parent
REQUESTS = 1_000_000
TOKENS = 16
STEPS = 10
STEP_S = 360.0
WARMUP_S = 10.0
LIMIT_S = 6.0
LIMIT_GB = 1.2
SCENARIO = {
    "name": "large",
    "load": {
        "kind": "open",
        "requests_per_s": [float(REQUESTS / STEPS / STEP_S)] * STEPS,
        "step_s": STEP_S,
        "warmup_s": WARMUP_S,
    },
    "prompts": {"kind": "synthetic", "input_tokens": 100, "output_tokens": TOKENS},
}


def make_run(run_dir: Path, requests: int) -> None:
    """A run directory as `breakeven run --arrivals` leaves it, of invented but plausible times."""
    random = np.random.default_rng(1)
    sent_s = np.sort(random.uniform(0, STEPS * STEP_S, requests))
    gaps_s = random.gamma(4, 0.005, (requests, TOKENS))  # first token and gaps: 20 ms each, scattered
    arrivals_s = sent_s[:, None] + np.cumsum(gaps_s, axis=1)
    ids = pa.array([f"00000000-0000-4000-8000-{n:012x}" for n in range(requests)])
    step = np.minimum(sent_s // STEP_S, STEPS - 1).astype(np.int64)
    scheduled_s = sent_s - 0.0002
    counts = {"attempt": 1, "prompt_tokens": 100, "output_tokens": TOKENS, "requested_output_tokens": TOKENS,
              "events": TOKENS, "http_status": 200, "process": 1}  # fmt: skip
    texts = {"token_source": "server", "clock": "kernel", "finish_reason": "length",
             "url": "http://127.0.0.1:8000"}  # fmt: skip
    table = pa.table(
        {
            "request_id": ids,
            "step": step,
            "scheduled_s": scheduled_s,
            "sent_s": sent_s,
            "headers_s": arrivals_s[:, 0],
            "first_token_s": arrivals_s[:, 0],
            "finished_s": arrivals_s[:, -1],
            "max_gap_s": gaps_s[:, 1:].max(axis=1),
            **{name: pa.repeat(value, requests) for name, value in (counts | texts).items()},
            "error": pa.nulls(requests, pa.string()),
        }
    )
    pq.write_table(table, run_dir / "records.parquet")
    flat = (arrivals_s * 1e6).astype(np.int64).ravel()
    lists = pa.ListArray.from_arrays(np.arange(0, len(flat) + 1, TOKENS, dtype=np.int32), flat)
    pq.write_table(pa.table({"request_id": ids, "arrival_us": lists}), run_dir / "arrivals.parquet")


def write_rest(run_dir: Path) -> None:
    """run.json, steps.jsonl and the samples of the load generator."""
    scenario = Scenario.model_validate(SCENARIO)
    manifest = RunManifest(
        scenario=scenario.model_dump(mode="json"), scenario_digest=scenario.digest(), backend="vllm",
        engine={"name": "vllm", "version": None, "flags": None}, model="m", quantization=None,
        instance={"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": 5.672, "replicas": 1},
        client={"hostname": "benchmark", "cores": 2}, seed=1,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"), started_monotonic_ns=0,
        harness_version="0", git_revision=None,
    )  # fmt: skip
    files.write_manifest(run_dir, manifest)
    lines = [
        files.orjson.dumps(
            {
                "step": n,
                "load": {"kind": "open", "requests_per_s": REQUESTS / STEPS / STEP_S},
                "start_s": n * STEP_S,
                "window_start_s": n * STEP_S + WARMUP_S,
                "end_s": (n + 1) * STEP_S,
            }
        )
        for n in range(STEPS)
    ]
    (run_dir / files.STEPS).write_bytes(b"\n".join(lines) + b"\n")
    seconds = np.arange(0, STEPS * STEP_S)
    sample = {"process": 1, "cpu": 0.3, "loop_lag_s": 0.001, "in_flight": 50, "asked": 50, "connections": 50}
    table = {"t_s": seconds} | {name: pa.repeat(value, len(seconds)) for name, value in sample.items()}
    pq.write_table(pa.table(table), run_dir / "client.parquet")


def analyse(run_dir: Path) -> tuple[float, float]:
    """Seconds and peak gigabytes of `breakeven report` on it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "report", str(run_dir)], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code not in {0, 3}:
        sys.exit(f"breakeven report ended with {code}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e9


def main() -> int:
    """Print the table; exit code."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    with tempfile.TemporaryDirectory() as name:
        run_dir = Path(name)
        make_run(run_dir, requests)
        write_rest(run_dir)
        seconds, peak_gb = analyse(run_dir)
        steps = files.read_json(run_dir, "metrics.json")["steps"]
    counted = sum(step["requests"] for step in steps)
    gaps = sum(step["itl_s"]["n"] for step in steps)
    print(f"{requests:,} records of {TOKENS} tokens; in the windows {counted:,} requests and {gaps:,} gaps")
    print(f"  seconds      {seconds:6.1f}   (limit {LIMIT_S:.0f})")
    print(f"  peak memory  {peak_gb:6.2f} GB (limit {LIMIT_GB})")
    return int(seconds >= LIMIT_S or peak_gb >= LIMIT_GB)


if __name__ == "__main__":
    sys.exit(main())
