"""A run of the command line with all its processes, one of which is killed at a moment. Linux: it reads /proc."""

import contextlib
import fcntl
import json
import os
import pty
import random
import signal
import socket
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from double import LOGS_VARIABLE, noted

ROOT = Path(__file__).parents[2]
MARK = "XDG_ATTACK_MARK"  # XDG_*: a name that every child's environment keeps
TOKEN = "a-token-of-this-attack-alone"
STEPS = 3
LOADS = {
    "ladder": "{kind: closed, users: [4, 5, 6], step_s: 1, warmup_s: 0}",
    "search": "{kind: search, over: users, low: 4, high: 9, step_s: 1, warmup_s: 0, max_step_s: 2, max_probes: 6}",
}
SCENARIO = """\
name: killed
load: %s
prompts: {kind: synthetic, input_tokens: 20, output_tokens: 4}
request: {timeout_s: 5}
slo: {ttft_p50_s: 2}
"""
STOPPED_S = 1.2
POLL_S = 0.01
LONGEST_S = 120.0  # of a run, on a busy machine

# what a process is recognized by in its command line
PROGRAMS = {
    "load": "harness.load.process.child",
    "muster": "harness.load.remote.master",
    "agent": "harness.load.remote.agent",
    "lender": "harness worker",
    "engine": "double.py --model",
    "leash": "leash.py",
}


@dataclass(frozen=True)
class Kill:
    """What is done to whom, and when."""

    victim: str
    how: str
    moment: str
    workers: int
    seed: int

    @property
    def has_engine(self) -> bool:
        """Whether the run starts its engine."""
        return self.victim in ("engine", "leash")

    @property
    def is_remote(self) -> bool:
        """Whether it has load processes elsewhere."""
        return self.victim in ("muster", "agent", "lender", "load elsewhere")

    @property
    def load(self) -> str:
        """The name of its load."""
        return "search" if self.moment == "probe" else "ladder"

    def __str__(self) -> str:
        return f"{self.how} to {self.victim}, {self.moment}, {self.workers} workers, seed {self.seed}"


class Run:
    """`breakeven run` under way; every process that comes of it carries a mark of its own."""

    def __init__(self, kill: Kill, place: Path, url: str | None, logs: Path, engine_cache: Path) -> None:
        self.kill, self.place = kill, place
        self.log = logs / ("-.txt" if url is None else f"{url.rpartition('/')[2]}.txt")
        self.mark = uuid.uuid4().hex
        self.killed_s: float | None = None
        place.mkdir(parents=True)
        path = place / "killed.yaml"
        path.write_text(SCENARIO % LOADS[kill.load])
        self._environment = os.environ | {
            MARK: self.mark, LOGS_VARIABLE: str(logs), "XDG_CACHE_HOME": str(engine_cache), "BREAKEVEN_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
        }  # fmt: skip
        self._environment.pop("XDG_STATE_HOME", None)
        on_what = ["--url", url, "--backend", "vllm"] if url else self._engine()
        box = ["--instance", "g5.12xlarge", "--out", str(place / "out")]
        self._terminal, theirs = pty.openpty()
        elsewhere = self._elsewhere()
        self.main = self._start("run.txt", theirs, "run", str(path), *on_what, *box, *elsewhere)
        os.close(theirs)

    def _engine(self) -> list[str]:
        return ["--engine", "llama_server", "--model", str(Path(self._environment["XDG_CACHE_HOME"]) / "tiny.gguf")]

    def _elsewhere(self) -> list[str]:
        """The options that say how many load processes there are; starts those of the other machine."""
        self.lender: subprocess.Popen[bytes] | None = None
        kill = self.kill
        if not kill.is_remote:
            return ["--workers", str(kill.workers)]
        there = max(kill.workers // 2, 1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.lender = self._start(
            "worker.txt", None, "worker", "--master", address, "--processes", str(there), "--out",
            str(self.place / "there"), "--once",
        )  # fmt: skip
        return ["--workers", str(kill.workers - there), "--remote-workers", str(there), "--listen", address]

    def _start(self, said: str, terminal: int | None, *arguments: str) -> subprocess.Popen[bytes]:
        def control() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        with (self.place / said).open("wb") as file:
            return subprocess.Popen(
                [sys.executable, "-m", "harness", *arguments],
                stdin=subprocess.DEVNULL if terminal is None else terminal,
                stdout=file, stderr=file, env=self._environment, cwd=self.place, start_new_session=True,
                preexec_fn=None if terminal is None else control,
            )  # fmt: skip

    @property
    def run_dir(self) -> Path | None:
        """Where it writes, once that is there."""
        return next(iter(self.place.glob("out/*")), None)

    def said(self) -> str:
        """All that the run has printed."""
        return (self.place / "run.txt").read_text(errors="replace")

    def step_rows(self) -> list[dict[str, Any]]:
        """The whole lines of steps.jsonl."""
        path = self.run_dir / "steps.jsonl" if self.run_dir else None
        text = path.read_text() if path is not None and path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def ended_steps(self) -> set[int]:
        """Those whose window is over."""
        return {row["step"] for row in self.step_rows() if row.get("end_s") is not None}

    # ---- its processes

    def processes(self) -> list[psutil.Process]:
        """Every process that carries the mark."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError, psutil.Error):
                if f"{MARK}={self.mark}".encode() in path.read_bytes():
                    found.append(psutil.Process(int(path.parent.name)))
        return found

    def _of(self, program: str) -> Iterator[psutil.Process]:
        for process in sorted(self.processes(), key=lambda one: one.pid):
            with contextlib.suppress(psutil.Error):
                if PROGRAMS[program] in " ".join(process.cmdline()):
                    yield process

    def victim(self) -> psutil.Process | None:
        """Whom the kill is meant for; None: it has ended, or has not begun."""
        agents = {process.pid for process in self._of("agent")}
        match self.kill.victim:
            case "main" | "group" | "terminal":
                return psutil.Process(self.main.pid) if self.main.poll() is None else None
            case "first load" | "last load":
                here = [process for process in self._of("load") if process.ppid() not in agents]
                return here[0 if self.kill.victim == "first load" else -1] if here else None
            case "load elsewhere":
                return next((process for process in self._of("load") if process.ppid() in agents), None)
            case other:
                return next(self._of(other), None)

    # ---- the kill

    def wait_for_moment(self) -> None:
        """Return at the kill's moment, or when the run has ended before."""
        chance = random.Random(self.kill.seed)
        until_s = time.monotonic() + LONGEST_S
        while not self._has_come() and self.main.poll() is None and time.monotonic() < until_s:
            time.sleep(POLL_S)
        most_s = {"between steps": 0.05, "preflight": 0.2, "analysis": 0.6}.get(self.kill.moment, 0.8)
        time.sleep(chance.uniform(0, most_s))

    def _has_come(self) -> bool:
        rows = self.step_rows()
        begun = {row["step"] for row in rows}
        match self.kill.moment:
            case "preflight":
                return bool(noted(self.log, "came"))
            case "first step":
                return 0 in begun
            case "between steps":
                return 0 in self.ended_steps()
            case "probe":
                return 1 in begun
            case "last step":
                return STEPS - 1 in begun
            case _:
                return STEPS - 1 in self.ended_steps() if self.kill.seed % 2 else "analysing" in self.said()

    def strike(self) -> bool:
        """Do it; whether there was somebody to do it to."""
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            process = self.victim()
            if process is not None:
                self.killed_s = time.monotonic()
                self._signal(process)
                return True
        return False

    def _signal(self, process: psutil.Process) -> None:
        if self.kill.victim == "terminal":
            self._end_terminal()
            return
        groups = self.kill.victim == "group"
        if self.kill.how == "STOP, then KILL":
            _send(process, signal.SIGSTOP, groups=groups)
            time.sleep(STOPPED_S)
            _send(process, signal.SIGKILL, groups=groups)
        else:
            _send(process, signal.Signals[f"SIG{self.kill.how}"], groups=groups)

    def _end_terminal(self) -> None:
        """Ctrl-C in it, or its window is closed."""
        if self.kill.how == "INT":
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


def _send(process: psutil.Process, number: signal.Signals, *, groups: bool) -> None:
    if groups:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
