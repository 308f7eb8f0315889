"""How long a demand takes out of a very large request log: 1,000,000 rows as CSV, JSON lines, a JSON list and Parquet.

    python benchmarks/demand_log.py [ROWS] [prompts]

Makes such logs in a temporary directory, runs `breakeven demand from-trace` on each in a process of its own, and prints
seconds, rows a second and peak memory. Exit code 1 when one takes 10 s or more, or 1 GB or more. With `prompts` it is
one log of JSON lines with the whole prompt in each, a fifth of them asked before; then 60 s and 1 GB are the limits.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parent.parent
ROWS = 1_000_000
LIMIT_S = 10.0
LIMIT_GB = 1.0
FILES = ("log.csv", "log.csv.gz", "log.jsonl", "log.json", "log.parquet")
PROMPTS, PROMPTS_LIMIT_S = "prompts.jsonl", 60.0
AGAIN = 0.2  # of the prompts, those that came before
SPAN_S = 28 * 86_400


def spend_logs(rows: int) -> pd.DataFrame:
    """Four weeks of a gateway's log, of invented but plausible lengths with a long tail."""
    random = np.random.default_rng(1)
    seconds = np.sort(random.uniform(0, SPAN_S, rows))
    prompt = np.ceil(random.lognormal(8, 1.6, rows)).clip(1, 900_000).astype(np.int64)
    completion = np.ceil(random.lognormal(5.5, 1, rows)).clip(1, 60_000).astype(np.int64)
    started = pd.Timestamp("2026-10-05", tz="UTC") + pd.to_timedelta(seconds.round(3), unit="s")
    return pd.DataFrame(
        {
            "request_id": [f"chatcmpl-{n:012x}" for n in range(rows)],
            "call_type": "acompletion",
            "spend": (prompt * 4e-7 + completion * 1.6e-6).round(8),
            "total_tokens": prompt + completion,
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "startTime": started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "model": random.choice(["gpt-4.1-mini", "gpt-4.1", "gemini-2.5-pro"], rows),
            "session_id": random.integers(0, rows // 4, rows).astype(str),
            "cache_hit": "False",
            "status": np.where(random.random(rows) < 0.01, "failure", "success"),
        }
    )


def write(rows: int, folder: Path) -> None:
    """The log in each kind of file."""
    paths, table = [folder / name for name in FILES], spend_logs(rows)
    table.to_csv(paths[0], index=False)
    table.to_csv(paths[1], index=False, compression={"method": "gzip", "compresslevel": 1})
    table.to_json(paths[2], orient="records", lines=True)
    table.to_json(paths[3], orient="records")
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), paths[4])


def write_prompts(rows: int, folder: Path) -> None:
    """The log with `messages`, as JSON lines: a system prompt that all share, and a question of 400 characters."""
    table, random = spend_logs(rows), np.random.default_rng(2)
    asked = np.where(random.random(rows) < AGAIN, random.integers(0, np.arange(rows) + 1), np.arange(rows))
    system = {"role": "system", "content": "You answer questions about orders. " * 6}
    table["messages"] = [
        [system, {"role": "user", "content": f"Question {n}: " + "what has become of it? " * 17}]
        for n in asked.tolist()
    ]
    table.to_json(folder / PROMPTS, orient="records", lines=True)


def measured(path: Path) -> tuple[float, float, float]:
    """Seconds, those of them on a CPU, and peak gigabytes of `breakeven demand from-trace` on it."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "demand", "from-trace", str(path), "--out", str(path.with_suffix(".yaml"))],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"breakeven demand from-trace {path.name} ended with {code}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def main() -> int:
    """Print the table; exit code."""
    given = [word for word in sys.argv[1:] if word != "prompts"]
    rows, has_prompts = int(given[0]) if given else ROWS, "prompts" in sys.argv
    write_logs, files, limit_s = (
        (write_prompts, (PROMPTS,), PROMPTS_LIMIT_S) if has_prompts else (write, FILES, LIMIT_S)
    )
    failed = 0
    print(f"{rows:,} rows; limits {limit_s:.0f} s and {LIMIT_GB:g} GB")
    with tempfile.TemporaryDirectory() as name:
        # in a process of its own: what this one ever had would count as the peak of those that it starts
        writer = multiprocessing.get_context("spawn").Process(target=write_logs, args=(rows, Path(name)))
        writer.start()
        writer.join()
        for path in (Path(name) / file for file in files):
            seconds, cpu_s, peak_gb = measured(path)
            failed |= seconds >= limit_s or peak_gb >= LIMIT_GB
            size_mb = path.stat().st_size / 1e6
            print(
                f"  {path.name:13} {size_mb:6.0f} MB {seconds:6.1f} s ({cpu_s:.1f} s of CPU) "
                f"{rows / seconds:9,.0f} rows/s {peak_gb:6.2f} GB"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
