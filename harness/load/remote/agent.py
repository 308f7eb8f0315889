"""A worker machine's side of a run: `python -m harness.load.remote.agent`, orders on stdin, events on stdout.

It connects to the master, starts a load process when the plan comes, hands its lines and its files on, and ends
with it. The files stay here until the master has every byte. A master that falls silent ends the load.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.socket
import gevent.subprocess
import orjson
from locust.env import Environment

from harness.load.remote.courier import Courier, NotTaken, take_part

SHIP_S = 0.5
SILENT_S = 15.0  # of the master
HEARD_S = 3.0  # since its last ping, where it is alive
CHILD_ENDS_S = 40.0  # after it was told to
BYE_S = 10.0
NOBODY_S = 10.0  # without a master, before it is said
LOG = "load.log"
FILES = "files"  # that the plan names: prompts, a trace, certificates
LOG_LINES_SENT = 15
FINAL = {"idle", "done", "error"}  # lines that mean: the rows before them are there


def emit(event: str, **facts: Any) -> None:
    """One event line for whoever started us, if they are still there."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, orjson.dumps({"event": event, **facts}, option=orjson.OPT_APPEND_NEWLINE))


class Agent:
    """One run's work on this machine."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._out_dir = Path(orders["out_dir"])
        self._who = orders["who"]
        self._place: Path | None = None
        self._child: Any = None
        self._heard = time.monotonic()
        self._over = gevent.event.Event()
        self._bye = gevent.event.Event()
        self._stopped_here = False
        self._all_there = False  # the master has every byte
        self.exit_code = 0
        self._runner: Any = None
        gevent.spawn(self._watch_parent)
        gevent.spawn_later(NOBODY_S, lambda: None if self._runner is not None else emit("nobody"))
        self._runner = Environment().create_worker_runner(orders["host"], orders["port"])
        self._courier = Courier(lambda kind, data: self._runner.send_message(kind, data))
        for name in ("welcome", "refused", "ping", "say", "kill", "bye", "part", "got"):
            self._runner.register_message(name, getattr(self, f"_on_{name}"))

    def run(self) -> int:
        """From the hello to the last byte; the exit code."""
        gevent.signal_handler(signal.SIGTERM, self._stop)
        gevent.signal_handler(signal.SIGINT, self._stop)
        self._runner.send_message("hello", self._who)
        while not self._over.wait(1.0):
            if time.monotonic() - self._heard > SILENT_S:
                emit("failed", text=f"the master has been silent for {SILENT_S:g} s; the load ends here")
                self.exit_code = 1
                self._stop()
                break
        self._over.wait(CHILD_ENDS_S)
        self._kill()
        self._tidy()
        return self.exit_code

    def _on_welcome(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        worker = msg.data["worker"]
        place = self._out_dir / f"{Path(msg.data['run']).name}-worker{worker}"
        emit("joined", worker=worker, run=msg.data["run"])
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._cannot(
                f"cannot write to {place}: {error.strerror}", "name another place with --out DIR there"
            )
        else:
            self._place = place

    def _on_refused(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        emit("failed" if msg.data["is_final"] else "busy", text=msg.data["text"])
        self.exit_code = 2 if msg.data["is_final"] else 0
        self._over.set()

    def _on_ping(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        seen_ns = time.monotonic_ns()
        self._runner.send_message("echo", {"sent_ns": msg.data["sent_ns"], "seen_ns": seen_ns})
        self._heard = time.monotonic()

    def _on_part(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        if self._place is None:
            return
        path = self._place / FILES / Path(msg.data["name"]).name
        try:
            path.parent.mkdir(exist_ok=True)
            got = take_part(path, msg.data)
        except OSError as error:
            self._cannot(f"cannot write {path}: {error.strerror}", "free some space there")
        else:
            self._runner.send_message("got", got)

    def _on_got(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        self._courier.got(msg.data)

    def _on_say(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        line = msg.data["line"]
        if self._place is None:
            return
        if self._child is None:
            try:
                self._start(orjson.loads(line))
            except OSError as error:
                self._cannot(
                    f"no load process can be started: {error.strerror}", "is the machine out of space?"
                )
        else:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.write(line + b"\n")
                self._child.stdin.flush()

    def _start(self, plan: dict[str, Any]) -> None:
        """The plan has come: files beside the rows, then a load process as anywhere else."""
        assert self._place is not None
        key = plan["api_key_env"]
        if key and not os.environ.get(key):
            text = f"--api-key-env {key}: no such environment variable there, or it is empty"
            self._cannot(text, f"export {key}=... where `breakeven worker` runs", exit_code=2)
            return
        files = self._place / FILES
        plan |= {"run_dir": str(self._place), "base_dir": str(files)}
        if plan["ca_file"]:
            plan["ca_file"] = str(files / plan["ca_file"])
        with (self._place / LOG).open("wb") as log:
            self._child = gevent.subprocess.Popen(
                [sys.executable, "-m", "harness.load.process.child"],
                stdin=gevent.subprocess.PIPE,
                stdout=gevent.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._child.stdin.write(orjson.dumps(plan) + b"\n")
        self._child.stdin.flush()
        gevent.spawn(self._ship_often)
        gevent.spawn(self._relay)

    def _cannot(self, text: str, hint: str, exit_code: int = 1) -> None:
        """This machine cannot take part: say so here and there. A handler must not wait: others come after it."""
        emit("failed", text=text)
        self.exit_code = 1
        error = {
            "event": "error",
            "message": f"{platform.node()}: {text}",
            "hint": hint,
            "exit_code": exit_code,
        }
        self._say(orjson.dumps(error))
        gevent.spawn(self._finish, "not started", "")

    def _watch_parent(self) -> None:
        """`breakeven worker` is gone when our input ends."""
        gevent.socket.wait_read(0)  # type: ignore[attr-defined]
        if self._runner is None:
            os._exit(1)  # deep in Locust's waiting for a master
        self._stop()

    def _relay(self) -> None:
        for line in self._child.stdout:
            event = orjson.loads(line)["event"]
            if event in FINAL:
                self._ship()
            if event != "done" or not self._stopped_here:  # who is stopped here has left, the run goes on
                self._say(line.rstrip(b"\n"))
        code = self._child.wait()
        self._all_there = self._ship()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        assert self._place is not None
        log = (self._place / LOG).read_text(errors="replace").splitlines()[-LOG_LINES_SENT:]
        self._finish("stopped on its machine" if self._stopped_here else how, "\n".join(log))

    def _say(self, line: bytes) -> None:
        self._runner.send_message("said", {"line": line})

    def _finish(self, how: str, log: str) -> None:
        self._runner.send_message("over", {"how": how, "log": log})
        self._bye.wait(BYE_S)
        self._over.set()

    def _ship_often(self) -> None:
        while not self._over.is_set():
            gevent.sleep(SHIP_S)
            self._ship()

    def _ship(self) -> bool:
        """Send what the files have grown by; whether all of it is there."""
        assert self._place is not None
        all_there = True
        for path in sorted(self._place.glob("*-*.jsonl")):
            try:
                self._courier.ship(path.name, path)
            except (NotTaken, OSError):
                all_there = False
        return all_there

    def _on_kill(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        self._kill()
        if self._child is None:
            self._over.set()

    def _on_bye(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        self._bye.set()

    def _stop(self) -> None:
        """Ctrl-C or SIGTERM here, or no master: the load process writes its rows down and ends."""
        self._stopped_here = True
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
        elif self._child is None or time.monotonic() - self._heard > HEARD_S:
            self._over.set()  # else its last rows are on their way

    def _kill(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()

    def _tidy(self) -> None:
        """Rows that the master has need not stay here."""
        if self._place is None:
            return
        if self._child is None or (self._all_there and self._bye.is_set()):
            shutil.rmtree(self._place, ignore_errors=True)
            with contextlib.suppress(OSError):  # others may have rows there
                self._out_dir.rmdir()
            if self.exit_code == 0:
                emit("finished")
        else:
            emit("failed", text=f"the master has not taken all rows; they are kept in {self._place}")
            self.exit_code = 1


def main() -> int:
    """Read the orders, work, end."""
    logging.getLogger("locust").setLevel(logging.CRITICAL)
    orders = orjson.loads(sys.stdin.buffer.readline())
    try:
        return Agent(orders).run()
    except ConnectionError:
        emit("nobody")
        return 0


if __name__ == "__main__":
    sys.exit(main())
