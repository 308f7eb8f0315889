"""Whom a kill is meant for among a run's processes, when it comes, and the kill itself."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil
from double import noted
from runs import STEPS, Run, Shape

STOPPED_S = 1.2
POLL_S = 0.01
LONGEST_S = 120.0  # until a moment comes, on a busy machine
PROGRAMS = {  # what a process is recognized by in its command line
    "load": "harness.load.process.child",
    "muster": "harness.load.remote.master",
    "agent": "harness.load.remote.agent",
    "lender": "harness worker",
    "engine": "double.py --model",
    "leash": "leash.py",
}
LATEST_S = {  # after the moment has come
    "preflight": 0.2, "first step": 1.9, "between steps": 0.05, "last step": 1.9, "probe": 0.9, "analysis": 0.6,
}  # fmt: skip
STOP_THEN_KILL = "STOP, then KILL"


@dataclass(frozen=True)
class Kill:
    """What is done to whom, and when."""

    victim: str
    how: str
    moment: str
    workers: int
    seed: int

    @property
    def shape(self) -> Shape:
        """The run that has such a victim and such a moment."""
        load = "search" if self.moment == "probe" else "ladder"
        if self.victim not in ("muster", "agent", "lender", "load elsewhere"):
            return Shape(load, self.workers, has_engine=self.victim in ("engine", "leash"))
        there = max(self.workers // 2, 1)
        return Shape(load, self.workers - there, there)

    def __str__(self) -> str:
        return f"{self.how} to {self.victim}, {self.moment}, {self.workers} workers, seed {self.seed}"


def _of(run: Run, program: str) -> Iterator[psutil.Process]:
    for process in run.processes():
        with contextlib.suppress(psutil.Error):
            if PROGRAMS[program] in " ".join(process.cmdline()):
                yield process


def _victim(run: Run, name: str) -> psutil.Process | None:
    """None: it has ended, or has not begun."""
    agents = {process.pid for process in _of(run, "agent")}
    match name:
        case "main" | "group" | "terminal":
            return psutil.Process(run.main.pid) if run.main.poll() is None else None
        case "first load" | "last load":
            here = [process for process in _of(run, "load") if process.ppid() not in agents]
            return here[0 if name == "first load" else -1] if here else None
        case "load elsewhere":
            return next((process for process in _of(run, "load") if process.ppid() in agents), None)
        case _:
            return next(_of(run, name), None)


def wait_for_moment(run: Run, kill: Kill) -> None:
    """Return at the kill's moment, or when the run has ended before."""
    until_s = time.monotonic() + LONGEST_S
    while not _has_come(run, kill) and run.main.poll() is None and time.monotonic() < until_s:
        time.sleep(POLL_S)
    time.sleep(random.Random(kill.seed).uniform(0, LATEST_S[kill.moment]))


def _has_come(run: Run, kill: Kill) -> bool:
    match kill.moment:
        case "preflight":
            return bool(noted(run.log, "came"))
        case "first step":
            return 0 in run.begun_steps()
        case "between steps":
            return 0 in run.ended_steps()
        case "probe":
            return 1 in run.begun_steps()
        case "last step":
            return STEPS - 1 in run.begun_steps()
        case _:
            return STEPS - 1 in run.ended_steps() if kill.seed % 2 else "analysing" in run.said()


def strike(run: Run, kill: Kill) -> float | None:
    """Do it; when, in s of the monotonic clock. None: there was nobody to do it to."""
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        process = _victim(run, kill.victim)
        if process is not None:
            now_s = time.monotonic()
            if kill.victim == "terminal":
                run.end_terminal(by_key=kill.how == "INT")
            elif kill.how == STOP_THEN_KILL:
                _send(process, signal.SIGSTOP, kill)
                time.sleep(STOPPED_S)
                _send(process, signal.SIGKILL, kill)
            else:
                _send(process, signal.Signals[f"SIG{kill.how}"], kill)
            return now_s
    return None


def _send(process: psutil.Process, number: signal.Signals, kill: Kill) -> None:
    if kill.victim == "group":
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
