"""Start the oracle as a process of its own, and stop it whatever happens."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.base.children import PYTHON, python_environment
from harness.base.errors import BreakevenError

STOP_S = 10.0  # it writes what is left of its ledger, then it is killed


@dataclass(frozen=True, slots=True)
class RunningOracle:
    """Where a started oracle listens and what it writes."""

    url: str
    port: int
    pid: int
    ledger: Path


@contextmanager
def running_oracle(
    ledger: Path,
    *,
    ttft_s: float = 0.02,
    itl_s: float = 0.02,
    core: int | None = None,
    command: Sequence[str] | None = None,
) -> Iterator[RunningOracle]:
    """An oracle on a free loopback port, pinned to `core` where one is given; stopped at the end.

    `command` starts another server with the same options and ledger, such as the C one of benchmarks/client.

    Raises:
        BreakevenError: it did not come up.
    """
    start = list(command) if command is not None else [*PYTHON, "-m", "harness.calibration.oracle.server"]
    options = ["--ledger", str(ledger), "--ttft-s", repr(ttft_s), "--itl-s", repr(itl_s), "--with-parent"]
    if core is not None:
        options += ["--core", str(core)]
    with subprocess.Popen(
        [*start, *options], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=python_environment()
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise BreakevenError(f"the known-schedule server did not start (exit code {process.wait(STOP_S)})")
            ready = orjson.loads(line)
            yield RunningOracle(ready["url"], ready["port"], ready["pid"], ledger)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def spare_cores() -> tuple[int | None, int | None]:
    """A core for the server and one for the client; (None, None) where there is only one, or no pinning."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) >= 2 else (None, None)
