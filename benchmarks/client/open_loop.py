"""Does an open load leave by its plan? Our client against a server whose ledger says what really came.

    python benchmarks/client/open_loop.py                         500 requests/s of 16 tokens for 60 s
    python benchmarks/client/open_loop.py --workers 2 --rate 200  every arrival once, whoever sends it

The server is oracle.c, built on the spot, on one core; the client gets the others (one, if there are two). The
plan is drawn again here, from the scenario's seed: what was sent is held against it, arrival by arrival. Exit
code 1 when an arrival is missing, came twice or was planned elsewhere, a token is lost, the schedule lag's p99
reaches 5 ms, or the rate achieved is off by 0.5 %.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from compare import _build, _cores, _drive
from peers import INPUT_TOKENS, Load

from harness.calibration.oracle.ledger import read_ledger
from harness.calibration.oracle.process import running_oracle
from harness.load.shapes.arrivals import ArrivalPlan
from harness.rundir.read import read_records
from harness.rundir.steps import read_steps

SEED = 1
LAG_P99_LIMIT_S = 0.005
RATE_LIMIT = 0.005


def main() -> int:
    options = _parse()
    server_core, client_cores = _cores(1)
    with tempfile.TemporaryDirectory(prefix="breakeven-open-loop-") as temporary:
        place = Path(temporary)
        ledger_path = place / "ledger.jsonl"
        load = Load(1, 0.01, options.output_tokens, int(options.rate * options.seconds))
        with running_oracle(
            ledger_path, ttft_s=load.ttft_s, itl_s=load.itl_s, core=server_core, command=[str(_build(place))]
        ) as oracle:
            complaint = _drive(_command(oracle.url, options, place), client_cores, _patience(options))
        (run_dir,) = (place / "out").iterdir()
        records, ledger = read_records(run_dir), read_ledger(ledger_path)
        start_s = read_steps(run_dir)[0].start_s
    if complaint and not complaint.startswith("exit 3"):
        sys.exit(complaint)

    planned = np.array(ArrivalPlan(SEED, "poisson").step(options.seconds, options.rate, options.rate))
    scheduled = np.sort(records["scheduled_s"].to_numpy(dtype=float)) - start_s
    same_plan = len(scheduled) == len(planned) and bool(np.allclose(scheduled, planned, atol=1e-6))
    lag_s = (records["sent_s"] - records["scheduled_s"]).to_numpy(dtype=float)
    received_s = ledger["received_monotonic_ns"].to_numpy(dtype=float) / 1e9
    span_s = received_s.max() - received_s.min()
    rate_off = (len(ledger) - 1) / span_s / ((len(planned) - 1) / (planned[-1] - planned[0])) - 1
    lost = int(ledger["tokens_sent"].sum() - records["output_tokens"].sum())
    lag_p99_s = float(np.nanpercentile(lag_s, 99))

    print(f"{options.rate:g} requests/s of {options.output_tokens} tokens for {options.seconds:g} s, ", end="")
    print(f"{options.workers} load process(es) on core(s) {client_cores}, server on {server_core}")
    print(f"planned {len(planned):,}   rows {len(records):,}   received {len(ledger):,}", end="   ")
    print(f"at the planned instants: {'all' if same_plan else 'NOT ALL'}", end="   ")
    print(f"failed {int(records['error'].notna().sum()):,}   tokens lost {lost:,}")
    print(f"schedule lag ms   p50 {1000 * np.nanpercentile(lag_s, 50):.3f}   p99 {1000 * lag_p99_s:.3f}", end="   ")
    print(f"max {1000 * np.nanmax(lag_s):.3f}      rate achieved against planned {100 * rate_off:+.3f} %")
    kept = same_plan and len(ledger) == len(planned) and not lost and bool(records["error"].isna().all())
    return 0 if kept and lag_p99_s < LAG_P99_LIMIT_S and abs(rate_off) < RATE_LIMIT else 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500, help="requests per second [500]")
    parser.add_argument("--seconds", type=float, default=60, help="[60]")
    parser.add_argument("--output-tokens", type=int, default=16, help="of a request [16]")
    parser.add_argument("--workers", type=int, default=1, help="load processes [1]")
    return parser.parse_args()


def _patience(options: argparse.Namespace) -> Load:
    """A load of the run's length, for the time limit."""
    return Load(1, options.seconds, 1, 1, ttft_s=options.seconds)


def _command(url: str, options: argparse.Namespace, place: Path) -> list[str]:
    scenario = {
        "name": "open_loop",
        "load": {
            "kind": "open", "requests_per_s": [options.rate], "step_s": options.seconds, "warmup_s": 0,
            "max_in_flight": 5000,
        },
        "prompts": {
            "kind": "synthetic", "input_tokens": INPUT_TOKENS, "output_tokens": options.output_tokens,
        },
        "seed": SEED,
    }  # fmt: skip
    path = place / "scenario.yaml"
    path.write_text(json.dumps(scenario))
    return [
        sys.executable, "-c", "from harness.cli import main; main()", "run", str(path), "--url", url,
        "--backend", "openai", "--out", str(place / "out"), "--workers", str(options.workers),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
