"""`breakeven run` on a stage: a server that writes down whom it answered, an engine that can be started, a whole run.

Linux: it reads /proc.
"""

import contextlib
import fcntl
import io
import json
import os
import pty
import socket
import subprocess
import sys
import termios
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
from double import LOGS_VARIABLE, Double
from tiny_gguf import model_bytes

from harness.base.token import TOKEN_ENV
from harness.cli import invoke
from harness.engines.kinds.llama_server import server_path

ROOT = Path(__file__).parents[2]
MARK = "XDG_ATTACK_MARK"  # XDG_*: a name that every child's environment keeps
TOKEN = "a-token-of-this-attack-alone"
STEPS = 3
LOADS = {
    "ladder": "{kind: closed, users: [4, 5, 6], step_s: 2, warmup_s: 0}",
    "search": "{kind: search, over: users, low: 4, high: 9, step_s: 1, warmup_s: 0, max_step_s: 2, max_probes: 6}",
}
SCENARIO = """\
name: attacked
load: %s
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 4}
request: {timeout_s: 5}
slo: {ttft_p50_s: 2}
"""
BUG = ("this is a bug", "Traceback (most recent call last)")
_INVOKING = threading.Lock()  # it takes the process's stdout


@dataclass(frozen=True)
class Shape:
    """How a run is made up."""

    load: str = "ladder"
    here: int = 1  # load processes of this machine
    there: int = 0  # of another
    lent: int | None = None  # so many of those come of a real `breakeven worker`; None: all
    has_engine: bool = False  # that it starts itself


@dataclass(frozen=True)
class Stage:
    """What all the runs share."""

    out_dir: Path
    double: Double
    engine_cache: Path
    whole: Path = field(default=Path())  # the directory of a run that nobody touched

    def prepared(self, shape: Shape, name: str) -> "Run":
        """A run that has not begun."""
        logs = self.out_dir / "answered"
        if not shape.has_engine:
            return Run(shape, self.out_dir / name, self.double.url(f"to-{name}"), logs, self.engine_cache)
        (logs / name).mkdir()
        return Run(shape, self.out_dir / name, None, logs / name, self.engine_cache)

    def started(self, shape: Shape, name: str) -> "Run":
        """A run that begins now."""
        run = self.prepared(shape, name)
        run.begin()
        return run


@contextlib.contextmanager
def stage(out_dir: Path) -> Iterator[Stage]:
    """A server, an engine that can be started, and a run that was left alone."""
    (out_dir / "answered").mkdir()
    cache = out_dir / "cache"
    _install_engine(cache)
    with Double(out_dir / "answered") as double:
        run = Stage(out_dir, double, cache).started(Shape(), "whole")
        run.main.wait()
        run.close()
        assert run.run_dir is not None, run.said()
        yield Stage(out_dir, double, cache, run.run_dir)


def _install_engine(cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.gguf").write_bytes(model_bytes())
    with mock.patch.dict("os.environ", XDG_CACHE_HOME=str(cache)):
        place = server_path()
    place.parent.mkdir(parents=True)
    place.write_text(f'#!/bin/sh\nexec python3 -I {Path(__file__).parent / "double.py"} "$@"\n')
    place.chmod(0o755)


class Run:
    """`breakeven run` under way; every process that comes of it carries a mark of its own."""

    main: subprocess.Popen[bytes]

    def __init__(self, shape: Shape, place: Path, url: str | None, logs: Path, engine_cache: Path) -> None:
        self.shape, self.place = shape, place
        self.log = logs / ("-.txt" if url is None else f"{url.rpartition('/')[2]}.txt")
        self.listen = free_address()
        self.lender: subprocess.Popen[bytes] | None = None
        self._mark, self._terminal = uuid.uuid4().hex, -1
        self._environment = os.environ | {
            MARK: self._mark, LOGS_VARIABLE: str(logs), "XDG_CACHE_HOME": str(engine_cache), TOKEN_ENV: TOKEN,
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        place.mkdir(parents=True)
        scenario = place / "attacked.yaml"
        scenario.write_text(SCENARIO % LOADS[shape.load])
        own = ["--engine", "llama_server", "--model", str(engine_cache / "tiny.gguf")]
        self._options = [str(scenario), *(own if url is None else ["--url", url, "--backend", "vllm"])]
        self._options += ["--instance", "g5.12xlarge", "--out", str(place / "out"), "--workers", str(shape.here)]
        if shape.there:
            self._options += ["--remote-workers", str(shape.there), "--listen", self.listen]

    def begin(self) -> None:
        """Start it, and those of its workers elsewhere that are not here yet."""
        lent = self.shape.there if self.shape.lent is None else self.shape.lent
        if lent and self.lender is None:
            self.lend(lent)
        self._terminal, theirs = pty.openpty()
        self.main = self._start("run.txt", theirs, "run", *self._options)
        os.close(theirs)

    def lend(self, processes: int) -> subprocess.Popen[bytes]:
        """`breakeven worker` for one run, as if on another machine."""
        there = ["--processes", str(processes), "--out", str(self.place / "there"), "--once"]
        self.lender = self._start("worker.txt", None, "worker", "--master", self.listen, *there)
        return self.lender

    def _start(self, said: str, terminal: int | None, *arguments: str) -> subprocess.Popen[bytes]:
        def control() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        with (self.place / said).open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "harness", *arguments],
                stdin=subprocess.DEVNULL if terminal is None else terminal, stdout=file, stderr=file,
                env=self._environment, cwd=self.place, start_new_session=True,
                preexec_fn=None if terminal is None else control,
            )  # fmt: skip

    @property
    def run_dir(self) -> Path | None:
        """Where it writes, once that is there."""
        return next(iter(self.place.glob("out/*")), None)

    def said(self) -> str:
        """All that the run has printed."""
        return (self.place / "run.txt").read_text(errors="replace")

    def printed(self) -> list[tuple[str, str]]:
        """What all its processes have printed, by file."""
        paths = (*self.place.glob("*.txt"), *self.place.glob("**/load.log"))
        return [(path.name, path.read_text(errors="replace")) for path in paths]

    def begun_steps(self) -> set[int]:
        """Those that steps.jsonl knows."""
        return {row["step"] for row in self._step_rows()}

    def ended_steps(self) -> set[int]:
        """Those whose window is over."""
        return {row["step"] for row in self._step_rows() if row.get("end_s") is not None}

    def _step_rows(self) -> list[dict[str, Any]]:
        path = self.run_dir / "steps.jsonl" if self.run_dir else None
        text = path.read_text() if path is not None and path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def processes(self) -> list[psutil.Process]:
        """Every process that carries its mark."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError, psutil.Error):
                if f"{MARK}={self._mark}".encode() in path.read_bytes():
                    found.append(psutil.Process(int(path.parent.name)))
        return sorted(found, key=lambda process: process.pid)

    def end_terminal(self, *, by_key: bool) -> None:
        """Ctrl-C in its terminal, or the window is closed."""
        if by_key:
            os.write(self._terminal, b"\x03")
        else:
            os.close(self._terminal)
            self._terminal = -1

    def ended(self, most_s: float) -> list[str]:
        """Wait until every process is gone; those that are not, and are killed now."""
        until_s = time.monotonic() + most_s
        while (left := self.processes()) and time.monotonic() < until_s:
            time.sleep(0.05)
        names = []
        for process in left:
            with contextlib.suppress(psutil.Error):
                names.append(f"{process.pid} {' '.join(process.cmdline())[-80:]} ({process.status()})")
                process.kill()
        return names

    def close(self) -> None:
        """Reap, and let go of the terminal."""
        for process in (self.main, self.lender):
            if process is not None:
                process.wait(10)
        if self._terminal >= 0:
            os.close(self._terminal)


def free_address() -> str:
    """HOST:PORT that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def invoked(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command line, in this process."""
    said = io.StringIO()
    with _INVOKING, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        return invoke(list(arguments)), said.getvalue()
