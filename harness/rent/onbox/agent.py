"""The agent of a box: runs commands, whoever asked may go away meanwhile, and ends them when the box is taken away.

One JSON object a line through its socket:

| asked | answered |
|---|---|
| `{"start": {"id", "argv", "env", "most_s"}}` | `{"started": id}`; the same again where the id is known |
| `{"state": id}` | `{"code": N or null, "why": words or null, "notice": {...} or null}`; code null: it runs |
| `{"interrupt": id}` | `{"asked": true}`: it ends now and keeps what it has |
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from . import notices
from .end import MARK, POWER_OFF, below, kill, power_off
from .files import FILES

SOCKET = "agent.sock"
LOG = "agent.log"
LOGS = "logs"
KILL_AFTER_S = 20.0  # from the interrupt of a command
_UP_S = 10.0
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def serve(folder: Path, left_s: float, is_switched_off: bool) -> dict[str, bool]:
    """Start the timer and the agent, apart from whoever asked; returns when it answers."""
    for name in (FILES, LOGS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if is_switched_off:
        (folder / POWER_OFF).touch()
        power_off(f"+{int(left_s / 60) + 2}")  # should the timer itself be killed
    with (folder / LOG).open("ab") as log:
        for words in (["timer", str(folder), str(left_s)], ["agent", str(folder), str(left_s)]):
            started = subprocess.Popen(
                [sys.executable, "-I", str(Path(sys.argv[0]).resolve()), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, MARK: folder.name},
                start_new_session=True,
            )
    until = time.monotonic() + _UP_S
    while not (folder / SOCKET).exists():
        if started.poll() is not None or time.monotonic() > until:
            raise OSError((folder / LOG).read_text(encoding="utf-8", errors="replace")[-2000:] or "no agent")
        time.sleep(0.02)
    return {"serves": True}


def ask(folder: Path, line: str) -> Any:
    """Pass a question to the agent of a box and return its answer."""
    os.chdir(str(folder))  # a socket's path is short, a folder's need not be
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_UP_S)
        connection.connect(SOCKET)
        connection.sendall(json.dumps(json.loads(line)).encode() + b"\n")
        with connection.makefile("rb") as answers:
            return json.loads(answers.readline())


class Job:
    """A command of the box."""

    def __init__(self, folder: Path, asked: Any) -> None:
        self.code: int | None = None
        self.why: str | None = None
        self._asked_at: float | None = None
        with (folder / LOGS / f"{asked['id']}.log").open("ab") as output:
            self._process = subprocess.Popen(
                asked["argv"],
                env={**os.environ, **asked["env"], MARK: folder.name},
                cwd=str(folder / FILES),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        threading.Thread(target=self._wait, args=(float(asked["most_s"]),), daemon=True).start()

    def interrupt(self, why: str) -> None:
        """Ask it to end: a run keeps what it has. After 20 s it is killed."""
        if self.code is not None or self._asked_at is not None:
            return
        self.why = why
        self._asked_at = time.monotonic()
        self._process.send_signal(signal.SIGINT)

    def _wait(self, most_s: float) -> None:
        until = time.monotonic() + most_s
        while True:
            try:
                self.code = self._process.wait(0.1)
                return
            except subprocess.TimeoutExpired:
                now = time.monotonic()
                if now > until:
                    self.interrupt(f"it took longer than {most_s:.0f} s")
                if self._asked_at is not None and now > self._asked_at + KILL_AFTER_S:
                    for pid in [self._process.pid, *below([self._process.pid])]:
                        kill(pid)


class Agent:
    """The jobs of a box, and the notice that it will be taken away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        self._notice: dict[str, str | None] | None = None
        self._lock = threading.Lock()

    def answer(self, asked: Any) -> dict[str, Any]:
        """One question, answered."""
        if "start" in asked:
            with self._lock:
                if asked["start"]["id"] not in self._jobs:
                    self._jobs[asked["start"]["id"]] = Job(self._folder, asked["start"])
            return {"started": asked["start"]["id"]}
        if "interrupt" in asked:
            self._jobs[asked["interrupt"]].interrupt("it was interrupted")
            return {"asked": True}
        job = self._jobs[asked["state"]]
        return {"code": job.code, "why": job.why, "notice": self._notice}

    def told(self, notice: notices.Notice) -> None:
        """The box will be taken away: what runs keeps what it has, now."""
        self._notice = notice.to_dict()
        for job in list(self._jobs.values()):
            job.interrupt("the box is taken away")


def run(folder: Path, left_s: float) -> None:
    """Serve until something ends it. It adopts what its commands leave behind, so that nothing survives the box."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    agent = Agent(folder)
    own_end = datetime.now(timezone.utc) + timedelta(seconds=left_s)
    watching = {"own_end": own_end}
    threading.Thread(target=notices.watch, args=(threading.Event(), agent.told), kwargs=watching, daemon=True).start()
    os.chdir(str(folder))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(SOCKET + ".new")
        server.listen(16)
        Path(SOCKET + ".new").replace(SOCKET)  # there when it answers
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, agent), daemon=True).start()


def _serve(connection: socket.socket, agent: Agent) -> None:
    with connection, connection.makefile("rwb") as line:
        try:
            said = agent.answer(json.loads(line.readline()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        try:
            line.write(json.dumps(said).encode() + b"\n")
            line.flush()
        except OSError:  # nobody is there any more
            return
