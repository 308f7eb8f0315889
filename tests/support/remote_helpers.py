"""`breakeven worker` on this machine, as if it were another one."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from harness.base.token import TOKEN_ENV

TOKEN = "a-token-of-these-tests-alone"
OTHER_CLOCK_S = 5000  # what another machine's monotonic clock is ahead of ours


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"127.0.0.1:{taken.getsockname()[1]}"


def other_clock() -> list[str]:
    """A prefix that gives a command another monotonic clock, as another machine has; [] where that is forbidden."""
    prefix = ["unshare", "--time", "--monotonic", str(OTHER_CLOCK_S)]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if tried.returncode == 0 else []


@contextmanager
def worker(master: str, out_dir: Path, *more: str, prefix: list[str] | None = None, **env: str) -> Iterator[Any]:
    """`breakeven worker`, as its user starts it."""
    command = [sys.executable, "-m", "harness", "worker", "--master", master, "--out", str(out_dir), *more]
    with subprocess.Popen(
        [*(prefix or []), *command], stderr=subprocess.PIPE, text=True, env=os.environ | {TOKEN_ENV: TOKEN} | env,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                child.kill()
            process.kill()
