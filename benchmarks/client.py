"""How wrong our own load client is: `breakeven run` against a server whose schedule and ledger are known.

    python benchmarks/client.py              64 streams x 50 tok/s, over 200,000 tokens (75 s)
    python benchmarks/client.py --seconds 10 --min-tokens 20000

Server and client each get a core of their own where there are two. Exit code 1 when a figure is missed:
time-to-first-token error p50 < 0.5 ms and p99 < 5 ms, no token lost or invented.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from harness.calibration.oracle.judge import Judgement, judge
from harness.calibration.oracle.ledger import ErrorSummary
from harness.calibration.oracle.process import running_oracle, spare_cores
from harness.rundir.files import read_manifest

TTFT_P50_LIMIT_S = 0.0005
TTFT_P99_LIMIT_S = 0.005
WARMUP_S = 2.0
EXIT_CODES_OF_A_RUN = {0, 3}  # 3: measured, but the checks warn; the ledger says here what it is worth


def main() -> int:
    options = _parse()
    server_core, client_core = spare_cores()
    with tempfile.TemporaryDirectory(prefix="breakeven-benchmark-") as temporary:
        place = Path(temporary)
        ledger = place / "ledger.jsonl"
        with running_oracle(ledger, ttft_s=0.02, itl_s=1 / options.tokens_per_s, core=server_core) as oracle:
            _drive(oracle.url, _scenario(place, options), place / "out", client_core)
        (run_dir,) = (place / "out").iterdir()
        started_ns = read_manifest(run_dir).started_monotonic_ns
        judgement = judge(run_dir, ledger, started_monotonic_ns=started_ns)
    print(f"{options.streams} streams x {options.tokens_per_s:g} tok/s, {options.seconds:g} s, ", end="")
    print(f"server on core {server_core}, client on core {client_core}")
    return _report(judgement, options.min_tokens)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=64, help="concurrent users [64]")
    parser.add_argument("--tokens-per-s", type=float, default=50, help="of each stream [50]")
    parser.add_argument("--seconds", type=float, default=75, help="length of the step [75]")
    parser.add_argument("--output-tokens", type=int, default=128, help="of a request [128]")
    parser.add_argument("--min-tokens", type=int, default=200_000, help="fewer prove nothing [200000]")
    return parser.parse_args()


def _scenario(place: Path, options: argparse.Namespace) -> Path:
    scenario = {
        "name": "known_schedule",
        "load": {
            "kind": "closed", "users": [options.streams], "step_s": options.seconds, "warmup_s": WARMUP_S,
        },
        "prompts": {"kind": "synthetic", "input_tokens": 800, "output_tokens": options.output_tokens},
        "seed": 1,
    }  # fmt: skip
    path = place / "known_schedule.yaml"
    path.write_text(json.dumps(scenario))  # JSON is YAML
    return path


def _drive(url: str, scenario: Path, out: Path, core: int | None) -> None:
    """Run the product's own command line, pinned to `core`."""
    command = [
        sys.executable, "-c", "from harness.cli import main; main()",
        "run", str(scenario), "--url", url, "--backend", "openai", "--out", str(out), "--arrivals",
    ]  # fmt: skip
    before = os.sched_getaffinity(0) if core is not None else None
    if core is not None:
        os.sched_setaffinity(0, {core})  # the child inherits it
    try:
        root = Path(__file__).parent.parent
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    finally:
        if before is not None:
            os.sched_setaffinity(0, before)
    if done.returncode not in EXIT_CODES_OF_A_RUN:
        sys.exit(f"{done.stdout}\n{done.stderr}\nbreakeven run ended with {done.returncode}")


def _report(judgement: Judgement, min_tokens: int) -> int:
    rows: list[tuple[str, ErrorSummary]] = [
        ("TTFT error", judgement.ttft),
        ("E2E error", judgement.e2e),
        ("ITL error", judgement.itl),
        ("server lateness", judgement.lateness),
    ]
    print(f"{'ms':16} {'n':>8} {'median':>9} {'p50':>9} {'p99':>9} {'max':>9}   (p50 to max of the size)")
    for name, errors in rows:
        values = (errors.median_s, errors.p50_s, errors.p99_s, errors.max_s)
        print(f"{name:16} {errors.n:8,} " + " ".join(_milliseconds(v) for v in values))
    print(f"tokens sent {judgement.tokens_sent:,}   lost {judgement.tokens_lost:,}", end="   ")
    rate = judgement.tokens_per_s
    print(f"invented {judgement.tokens_invented:,}   {'n/a' if rate is None else f'{rate:,.0f}'} tok/s")
    print(f"requests judged {judgement.requests:,}, stamped by the kernel {judgement.kernel_stamped:,}")
    missed = _missed(judgement, min_tokens)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


def _milliseconds(seconds: float | None) -> str:
    return f"{'n/a':>9}" if seconds is None else f"{seconds * 1000:+9.3f}"


def _missed(judgement: Judgement, min_tokens: int) -> list[str]:
    missed = []
    p50_s, p99_s = judgement.ttft.p50_s, judgement.ttft.p99_s
    if p50_s is None or p50_s >= TTFT_P50_LIMIT_S:
        missed.append(f"TTFT error p50 must be below {TTFT_P50_LIMIT_S * 1000:g} ms")
    if p99_s is None or p99_s >= TTFT_P99_LIMIT_S:
        missed.append(f"TTFT error p99 must be below {TTFT_P99_LIMIT_S * 1000:g} ms")
    if judgement.tokens_lost or judgement.tokens_invented:
        missed.append(f"tokens lost {judgement.tokens_lost}, invented {judgement.tokens_invented}")
    for side, count in (
        ("server", judgement.requests_only_server_knows),
        ("client", judgement.requests_only_client_knows),
    ):
        if count:
            missed.append(f"{count} requests are known to the {side} alone")
    if judgement.tokens_sent < min_tokens:
        missed.append(f"only {judgement.tokens_sent:,} tokens sent, {min_tokens:,} are needed")
    return missed


if __name__ == "__main__":
    sys.exit(main())
