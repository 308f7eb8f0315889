"""How quick the money is: one decision, ten thousand draws, and a whole decision.json.

    python benchmarks/cost.py

Exit code 1 when a decision of any kind takes 1 ms or more, or 10,000 draws of it 100 ms or more. Medians of several
rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from harness.cost import decide
from harness.cost.breakeven.decision import parse
from harness.cost.breakeven.vector import Case, case_of, evaluate
from harness.cost.verdict import build_decision
from harness.cost.whatif.ranges import ranges_of
from harness.cost.whatif.uncertainty import DRAWS, Spread, simulate, spreads
from harness.demand.demand import load_demand
from harness.rundir.decide import DecideInput
from harness.rundir.manifest import RunManifest
from harness.rundir.results import Metrics

ROOT = Path(__file__).parent.parent
DECISION_LIMIT_S = 0.001
DRAWS_LIMIT_S = 0.1
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


TERMS = {
    "usd_per_request": 0.001,
    "surcharge": 0.055,
    "success_rate": 0.95,
    "output_ratio": 1.4,
    "reasoning_tokens": 200,
}
UNITS = {"units_usd_per_month": 2448, "unit_tasks_per_month": 150_000}
KINDS: dict[str, dict[str, dict[str, object]]] = {
    "by the token": {},
    "arm's own terms": {"api": TERMS},
    "units of capacity": {"api": {**TERMS, **UNITS, "input_usd_per_mtok": 0, "output_usd_per_mtok": 0}},
    "scale to zero": {"self_host": {"min_instances": 0, "cold_start_s": 120, "idle_s": 300}},
    "scale to zero, units": {"self_host": {"min_instances": 0, "cold_start_s": 120}, "api": {**TERMS, **UNITS}},
    "by the second": {"self_host": {"billing": "per_second", "usd_per_second": 0.002}, "api": UNITS},
}


def main() -> int:
    slow = [kind for kind, changes in KINDS.items() if not _is_quick(kind, changes)]
    demand = load_demand(Path("support-agent"))
    build_decision(MANIFEST, METRICS, demand, [])  # the price list is read once
    whole_s = _median_s(lambda: build_decision(MANIFEST, METRICS, demand, []), rounds=10)
    print(f"decision.json, three arms       {1e3 * whole_s:9.1f} ms")
    print(f"`import harness.cost`           {1e3 * _import_s():9.1f} ms")
    return 1 if slow else 0


def _is_quick(kind: str, changes: dict[str, dict[str, object]]) -> bool:
    inputs = {part: {**given, **changes.get(part, {})} for part, given in INPUTS.items()}
    parsed = parse(inputs)
    ranges = {"tasks_per_month": (2e5, 9e5), "max_load": (0.6, 1.0), "api_price": (0.5, 1.2)}
    uncertain = spreads(parsed, 8666.67, ranges_of(parsed, 8666.67, ranges, spot_range=(2.0, 2.8)))
    decision_s = _median_s(lambda: decide(inputs), rounds=500)
    draws_s = _median_s(lambda: simulate(parsed, uncertain), rounds=10)
    array_s = _median_s(lambda: evaluate(_drawn(parsed, uncertain)), rounds=10)
    print(
        f"{kind:22}one decision {1e3 * decision_s:7.3f} ms   10,000 at once {1e3 * array_s:7.1f} ms"
        f"   simulated, {len(uncertain)} inputs {1e3 * draws_s:7.1f} ms"
    )
    return decision_s < DECISION_LIMIT_S and array_s < DRAWS_LIMIT_S


def _drawn(parsed: DecideInput, uncertain: Sequence[Spread]) -> Case:
    random, case = np.random.default_rng(1), case_of(parsed, 400_000.0)
    for spread in uncertain:
        case = spread.knob.set(case, spread.draw(random, DRAWS))
    return case


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
