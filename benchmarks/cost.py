"""How quick the money is: one decision, ten thousand draws, and a whole decision.json.

    python benchmarks/cost.py

Exit code 1 when a decision takes 1 ms or more, or 10,000 draws 2 s or more. Medians of several rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.cost import decide
from harness.cost.breakeven.decision import parse
from harness.cost.verdict import build_decision
from harness.cost.whatif.uncertainty import simulate, spreads
from harness.demand.demand import default_demand
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics

ROOT = Path(__file__).parent.parent
DECISION_LIMIT_S = 0.001
DRAWS_LIMIT_S = 2.0
METRICS = Metrics.model_validate(
    {
        "steps": [
            {
                "step": 0,
                "load": {"kind": "closed", "users": 4},
                "window": {"start_s": 0, "end_s": 100},
                "requests": 60,
                "input_tokens_per_s": 480.0,
                "output_tokens_per_s": 150.0,
                "mean_input_tokens": 800.0,
                "mean_output_tokens": 250.0,
            }
        ],
        "goodput": {"requests_per_s": 0.6, "low": 0.58, "high": 0.62, "step": 0},
    }
)
INPUTS = {
    "workload": {
        "tasks_per_month": 400_000,
        "classes": [{"input_tokens": 800, "output_tokens": 250}, {"input_tokens": 3000, "output_tokens": 300}],
        "hourly_profile": [1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 9, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1],
        "retry_failure_rate": 0.08,
        "max_retries": 2,
    },
    "self_host": {
        "usd_per_hour": 5.672,
        "goodput_requests_per_s": 0.6,
        "goodput_low": 0.58,
        "goodput_high": 0.62,
        "fixed_usd_per_month": 8666.67,
    },
    "api": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 15},
}
MANIFEST = RunManifest(
    scenario={},
    scenario_digest="",
    backend="vllm",
    engine={},
    model="meta-llama/Llama-3.3-70B-Instruct",
    quantization="awq",
    instance={"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": None, "replicas": 1},
    client={},
    seed=1,
    started_at="2026-11-24T00:00:00Z",
    started_monotonic_ns=0,
    harness_version="0",
    git_revision=None,
)


def main() -> int:
    parsed, demand = parse(INPUTS), default_demand()
    ranges = {"tasks_per_month": (2e5, 9e5), "peak_to_mean": (1.0, 3.0), "api_price": (0.5, 1.2)}
    uncertain = spreads(parsed, people_usd=8666.67, ranges=ranges, spot_range=(2.0, 2.8), confidence=0.95)
    decision_s = _median_s(lambda: decide(INPUTS), rounds=2000)
    draws_s = _median_s(lambda: simulate(parsed, uncertain), rounds=10)
    build_decision(MANIFEST, METRICS, demand, [])  # the price list is read once
    whole_s = _median_s(lambda: build_decision(MANIFEST, METRICS, demand, []), rounds=10)
    print(f"one decision                    {1e3 * decision_s:9.3f} ms   (limit {1e3 * DECISION_LIMIT_S:g} ms)")
    print(
        f"10,000 draws of {len(uncertain)} inputs        {1e3 * draws_s:9.1f} ms   (limit {1e3 * DRAWS_LIMIT_S:g} ms)"
    )
    print(f"decision.json, three arms       {1e3 * whole_s:9.1f} ms")
    print(f"`import harness.cost`           {1e3 * _import_s():9.1f} ms")
    return 0 if decision_s < DECISION_LIMIT_S and draws_s < DRAWS_LIMIT_S else 1


def _median_s(work: Callable[[], object], *, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _import_s() -> float:
    code = "import time; t = time.perf_counter(); import harness.cost; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
