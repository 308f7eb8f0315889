"""Every load client that is installed, one after the other, against one known schedule: how wrong is each?

    python benchmarks/client/compare.py                        128 streams x 100 tok/s
    python benchmarks/client/compare.py --load saturated       128 streams, one token each 1 ms
    python benchmarks/client/compare.py --only breakeven "locust iter_lines"

The server is oracle.c, built on the spot, on one core; the client gets one other core (--cores for more). Each
request is joined with the server's ledger by its id. An error is what the client says minus what the server did,
so it is signed; the tokens/s are the server's own count from the first request to the last token, that is, the
load that the client got out of it. Peers: `bash benchmarks/client/install_peers.sh`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from peers import OFFLINE, Client, Load, Sample, clients

from harness.calibration.oracle.ledger import read_ledger
from harness.calibration.oracle.process import running_oracle

LOADS = {
    "steady": Load(streams=128, itl_s=0.01, output_tokens=64, requests=2048),
    "saturated": Load(streams=128, itl_s=0.001, output_tokens=256, requests=2048),
    "many": Load(streams=512, itl_s=0.02, output_tokens=64, requests=4096),
}
PATIENCE = 20  # a client may take this many times what the load takes, and a minute to start
START_S = 60


@dataclass(frozen=True, slots=True)
class Result:
    """One client under one load; errors signed, in seconds."""

    requests: int  # that the client says ended well, joined with the ledger
    ttft_s: tuple[float, float]  # p50, p99 of the error
    e2e_s: tuple[float, float]
    tokens_per_s: float
    lateness_p99_s: float  # of the server itself


def main() -> int:
    options = _parse()
    server_core, client_cores = _cores(options.cores)
    with tempfile.TemporaryDirectory(prefix="breakeven-compare-") as temporary:
        oracle = _build(Path(temporary))
        for name in options.load:
            load = LOADS[name]
            print(f"\n{name}: {load.streams} streams, a token each {load.itl_s * 1000:g} ms,", end=" ")
            print(f"{load.output_tokens} tokens, {load.requests} requests; client on core(s) {client_cores}")
            print(f"{'':20}{'requests':>9}{'TTFT error ms p50 / p99':>26}{'E2E error ms p50 / p99':>26}", end="")
            print(f"{'tok/s':>10}{'server late p99':>17}")
            for client in clients():
                if options.only and client.name not in options.only:
                    continue
                print(f"{client.name:20}{_measure(client, load, oracle, (server_core, client_cores))}", flush=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", nargs="+", choices=LOADS, default=["steady"], help="[steady]")
    parser.add_argument("--only", nargs="+", metavar="CLIENT", help="names as in the table")
    parser.add_argument("--cores", type=int, default=1, help="cores of the client [1]")
    return parser.parse_args()


def _cores(wanted: int) -> tuple[int, set[int]]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) <= wanted:
        sys.exit(f"the server needs a core besides the client's {wanted}, and there are {len(cores)}")
    return cores[0], set(cores[1 : 1 + wanted])


def _build(place: Path) -> Path:
    binary = place / "oracle"
    source = Path(__file__).with_name("oracle.c")
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", binary, source], check=True)
    return binary


def _measure(client: Client, load: Load, oracle: Path, cores: tuple[int, set[int]]) -> str:
    """A row of the table, or why there is none."""
    if client.python is None:
        return "not installed"
    server_core, client_cores = cores
    with tempfile.TemporaryDirectory(prefix="breakeven-compare-run-") as temporary:
        place = Path(temporary)
        ledger = place / "ledger.jsonl"
        with running_oracle(
            ledger, ttft_s=load.ttft_s, itl_s=load.itl_s, core=server_core, command=[str(oracle)]
        ) as running:
            complaint = _drive(client.command(client.python, running.url, load, place), client_cores, load)
        try:
            result = _judge(list(client.read(place)), read_ledger(ledger))
        except (OSError, ValueError, KeyError) as error:
            return f"no result: {error!r}; {complaint or ''}"
    return _row(result)


def _drive(command: list[str], cores: set[int], load: Load) -> str | None:
    """Run a client on its cores; the end of what it said when it failed."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | OFFLINE, stdin=subprocess.DEVNULL, stdout=said,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(START_S + PATIENCE * load.seconds)
        except subprocess.TimeoutExpired:
            return "it did not come to an end"
        finally:
            os.sched_setaffinity(0, before)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # some leave workers behind
            process.wait()
        said.seek(0)
        return f"exit {code}: {said.read()[-600:]}" if code else None


def _judge(samples: list[Sample], ledger: pd.DataFrame) -> Result:
    truth = ledger.set_index("request_id")
    joined = [(s, truth.loc[s.request_id]) for s in samples if s.request_id in truth.index]
    if not joined:
        raise ValueError("no request of its result is in the ledger")
    ttft = [s.ttft_s - (t["sent_monotonic_ns"][0] - t["received_monotonic_ns"]) / 1e9 for s, t in joined]
    e2e = [s.e2e_s - (t["sent_monotonic_ns"][-1] - t["received_monotonic_ns"]) / 1e9 for s, t in joined]
    span_ns = max(x[-1] for x in ledger["sent_monotonic_ns"] if x) - ledger["received_monotonic_ns"].min()
    lateness = np.concatenate([np.asarray(x, dtype=float) for x in ledger["lateness_ns"]])
    return Result(
        requests=len(joined),
        ttft_s=_percentiles(ttft),
        e2e_s=_percentiles(e2e),
        tokens_per_s=float(ledger["tokens_sent"].sum() / (span_ns / 1e9)),
        lateness_p99_s=float(np.percentile(lateness, 99)) / 1e9,
    )


def _percentiles(errors: list[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(errors, [50, 99])
    return float(p50), float(p99)


def _row(result: Result) -> str:
    ttft, e2e = (f"{1000 * p50:+.2f} / {1000 * p99:+.2f}" for p50, p99 in (result.ttft_s, result.e2e_s))
    late = f"{1000 * result.lateness_p99_s:.2f} ms"
    return f"{result.requests:9,}{ttft:>26}{e2e:>26}{result.tokens_per_s:10,.0f}{late:>17}"


if __name__ == "__main__":
    sys.exit(main())
