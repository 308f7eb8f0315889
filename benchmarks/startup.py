"""How long the commands that only think take, from the shell to their last word: median of ten, in milliseconds.

    python benchmarks/startup.py

Each runs in a process of its own, after one that is not counted. Exit code 1 when a limit is missed: the help of
all below 350 ms, what only reads below 1,000 ms, what analyses a run below 1,500 ms.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
(KEPT,) = (ROOT / "results" / "kept").glob("*-quickstart-*")
TIMES = 10
HELP_LIMIT_MS = 350
LIMIT_MS = 1000
ANALYSIS_LIMIT_MS = 1500
INPUT = """\
workload: {tasks_per_month: 400000, classes: [{input_tokens: 800, output_tokens: 250}]}
self_host: {usd_per_hour: 5.672, goodput_requests_per_s: 0.6}
api: {input_usd_per_mtok: 3, output_usd_per_mtok: 15}
"""
COMMANDS = {
    "--version": HELP_LIMIT_MS,
    "--help": HELP_LIMIT_MS,
    "decide input.yaml": LIMIT_MS,
    "decide input.yaml --two-way goodput_requests_per_s usd_per_hour": LIMIT_MS,
    "prices list": LIMIT_MS,
    "schema": LIMIT_MS,
    "init --force": LIMIT_MS,
    "run --dry-run": LIMIT_MS,
    "report --help": LIMIT_MS,
    "report run": ANALYSIS_LIMIT_MS,
    "compare run run": ANALYSIS_LIMIT_MS,
}


def main() -> int:
    missed = 0
    with tempfile.TemporaryDirectory(prefix="breakeven-startup-") as temporary:
        place = Path(temporary)
        (place / "input.yaml").write_text(INPUT)
        shutil.copytree(KEPT, place / "run")
        for command, limit_ms in COMMANDS.items():
            took_ms = median_ms(command.split(), place)
            missed += took_ms >= limit_ms
            print(f"{took_ms:6.0f} ms  (limit {limit_ms:5,})  breakeven {command}", flush=True)
    return 1 if missed else 0


def median_ms(arguments: list[str], place: Path) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(place / "pyc")}
    command = [sys.executable, "-m", "harness", *arguments]
    took_ms = []
    for _ in range(TIMES + 1):  # the first leaves the bytecode behind
        began = time.perf_counter()
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
        took_ms.append((time.perf_counter() - began) * 1000)
        if done.returncode not in {0, 3}:
            sys.exit(f"breakeven {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return statistics.median(took_ms[1:])


if __name__ == "__main__":
    sys.exit(main())
