"""How long `breakeven import` takes, and how much memory, for large files that are made from the samples.

python benchmarks/imports.py [vllm aiperf guidellm inference-perf] [--share 0.1]
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parent.parent / "tests" / "data" / "imports"
VLLM_ROWS, AIPERF_ROWS, OTHER_ROWS = 1_000_000, 100_000, 20_000


def vllm(path: Path, rows: int) -> None:
    """The sample's requests again and again, later by the length of a round each time."""
    said = json.loads((SAMPLES / "vllm-bench-0.32.json").read_text())
    rounds = rows // 48
    lists = {key: value for key, value in said.items() if isinstance(value, list) and len(value) == 48}
    said |= {"num_prompts": 48 * rounds, "completed": 48 * rounds, "duration": said["duration"] * rounds}
    with path.open("w") as file:
        file.write(json.dumps({k: v for k, v in said.items() if k not in lists})[:-1])
        for key, values in lists.items():
            file.write(f', "{key}": [')
            for n in range(rounds):
                own = [v + n * 0.8 for v in values] if key == "start_times" else values
                file.write((", " if n else "") + json.dumps(own)[1:-1])
            file.write("]")
        file.write("}")


def aiperf(path: Path, rows: int) -> None:
    """A line a request."""
    said = [json.loads(line) for line in (SAMPLES / "aiperf-0.13-profile_export.jsonl").read_text().splitlines()]
    with path.open("w") as file:
        for n in range(rows // 48):
            for row in said:
                meta = row["metadata"]
                later = {k: v + n * 900_000_000 for k, v in meta.items() if k.endswith("_ns")}
                own = {"x_request_id": f"{n}-{meta['x_request_id']}", **later}
                file.write(json.dumps({**row, "metadata": {**meta, **own}}) + "\n")


def guidellm(path: Path, rows: int) -> None:
    """One benchmark with all of them."""
    said = json.loads((SAMPLES / "guidellm-0.8.1.json").read_text())
    one = said["benchmarks"][0]
    requests = one["requests"]["successful"]
    one["requests"]["successful"] = [_later(request, n * 1.1, n) for n in range(rows // 48) for request in requests]
    one["metrics"]["request_totals"] = {"successful": rows // 48 * 48, "errored": 0, "incomplete": 0}
    path.write_text(json.dumps(said))


def _later(request: dict[str, Any], by_s: float, number: int) -> dict[str, Any]:
    info = request["info"]
    times = {k: v + by_s if isinstance(v, float) and v > 1e9 else v for k, v in info["timings"].items()}
    return {**request, "request_id": f"{number}-{request['request_id']}", "info": {**info, "timings": times}}


def inference_perf(path: Path, rows: int) -> None:
    """One list with all of them."""
    said = json.loads((SAMPLES / "inference-perf-0.7-per_request.json").read_text())

    def later(request: dict[str, Any], by_s: float) -> dict[str, Any]:
        info = request["info"]
        answer = info["response_metrics"]
        moved = {key: [t + by_s for t in answer[key]] for key in ("chunk_times", "output_token_times")}
        ends = {key: request[key] + by_s for key in ("start_time", "end_time")}
        return {**request, **ends, "info": {**info, "response_metrics": {**answer, **moved}}}

    path.write_text(json.dumps([later(request, n * 1.1) for n in range(rows // 48) for request in said]))


MAKERS: dict[str, tuple[Callable[[Path, int], None], str, int, float]] = {
    "vllm": (vllm, "json", VLLM_ROWS, 30),
    "aiperf": (aiperf, "jsonl", AIPERF_ROWS, 15),
    "guidellm": (guidellm, "json", OTHER_ROWS, 15),
    "inference-perf": (inference_perf, "json", OTHER_ROWS, 15),
}


def main() -> None:
    """Make a file, import it in a process of its own, say what that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(MAKERS))
    parser.add_argument("--share", type=float, default=1.0, help="of the rows")
    given = parser.parse_args()
    for tool in given.tools or MAKERS:
        make, kind, rows, limit_s = MAKERS[tool]
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / f"large.{kind}"
            make(path, int(rows * given.share))
            began = time.monotonic()
            command = [sys.executable, "-m", "harness", "import", str(path), "--usd-per-hour", "3", "--out", place]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            took_s = time.monotonic() - began
            peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            size_mib = path.stat().st_size / 2**20
        print(
            f"{tool}: {int(rows * given.share):,} rows, {size_mib:,.0f} MiB: {took_s:.1f} s (limit {limit_s:g}), "
            f"most memory so far {peak_gib:.2f} GiB, exit code {done.returncode}",
            flush=True,
        )
        if done.returncode not in (0, 3):
            print(done.stderr[-2000:])


if __name__ == "__main__":
    main()
