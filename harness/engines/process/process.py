"""A child process on a leash: its own session, its output in a log, gone when we are."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base.children import plain_environment
from harness.base.errors import EngineError, UsageError
from harness.engines.process import leash

GRACE_S = 10.0  # SIGTERM to SIGKILL: an engine with a stream in flight first wants to finish it
TAIL_LINES = 15
_CLEAN_UP_LIMIT_S = 30


def engine_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our environment without what would change an engine behind its flags, plus `extra`.

    llama-cpp-python reads every setting from the environment too: HOST, PORT, API_KEY, CACHE, SEED ...
    """
    return plain_environment(extra)


def choose_port(port: int | None) -> int:
    """`port` if nobody has it on loopback, or any free one for None.

    Raises:
        UsageError: the port is taken, or not a port.
    """
    if port is not None and not 0 < port < 65536:
        raise UsageError(f"port {port} is not between 1 and 65535")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise UsageError(
                f"port {port} cannot be used: {error.strerror or error}",
                hint="name another port, or stop what listens there; without a port a free one is taken",
            ) from None
        return int(probe.getsockname()[1])


def choose_ports(ports: Sequence[int | None]) -> list[int]:
    """`choose_port` for each, none of them twice.

    Raises:
        UsageError: one of them is taken, or no port.
    """
    chosen: list[int] = []
    for port in ports:
        found = choose_port(port)
        while port is None and found in chosen:
            found = choose_port(None)
        chosen.append(found)
    return chosen


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log that say something; "" when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    said = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(said[-lines:])


def clean_up(command: Sequence[str] | None) -> None:
    """Run an engine's own last command, if it has one; how that ends, or whether it can run at all, does not matter."""
    if command:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, timeout=_CLEAN_UP_LIMIT_S, check=False)


class LeashedProcess:
    """A running command; use it as a context manager, or call `stop`.

    Its session is its own, so Ctrl-C in the terminal reaches us first. Whatever ends us ends it too
    (see leash.py).
    """

    def __init__(self, command: Sequence[str], log_path: Path, environment: Mapping[str, str]) -> None:
        """Start `command`, its stdout and stderr appended to `log_path`.

        Raises:
            EngineError: the log cannot be written, or the command cannot be run.
        """
        self.log_path = log_path
        try:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            log = log_path.open("ab")
        except OSError as error:
            raise EngineError(f"cannot write the engine's log {log_path}: {error.strerror or error}") from None
        with log:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", "-S", leash.__file__, str(GRACE_S), *command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=dict(environment), start_new_session=True,
            )  # fmt: skip
        assert self._leash.stdout is not None
        first_line = self._leash.stdout.readline().strip()
        if not first_line:
            self._leash.communicate()
            raise EngineError(f"{command[0]} could not be started", detail=log_tail(log_path))
        self.pid = int(first_line)

    def poll(self) -> int | None:
        """The command's exit code, negative for a signal; None while it runs."""
        code = self._leash.poll()
        return code - 256 if code is not None and code > 191 else code  # the leash's exit(-9) arrives as 247

    def stop(self) -> None:
        """End the command and everything it started; returns when they are gone. May be called twice."""
        for pipe in (self._leash.stdin, self._leash.stdout):
            if pipe is not None:
                pipe.close()
        self._leash.terminate()  # a forked child of ours may still hold the pipe open
        try:
            self._leash.wait(timeout=GRACE_S + 5)
        except subprocess.TimeoutExpired:
            self._leash.kill()
            self._leash.wait()
        if self._leash.returncode < 0:  # somebody killed the leash, which then ended nothing
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def __enter__(self) -> LeashedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
