"""The parent's end of the line to a load process: lines in, lines out. One class for each place it may run at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson


class LocalEnd:
    """A load process on this machine, on its pipes."""

    def __init__(self, log: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.load.process.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal reaches us first, and alone
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        os.set_blocking(self.fileno(), False)

    def fileno(self) -> int:
        """Where its lines come from."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def send(self, line: bytes) -> None:
        """A line to it.

        Raises:
            BrokenPipeError: it died.
        """
        assert self.process.stdin is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def how_it_ended(self) -> str:
        """After its last line."""
        code = self.process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def interrupt(self) -> None:
        """Ask it to end now and keep its rows."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        """Kill it if it is there, and tidy up."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                _close_quietly(pipe)


class RemoteEnd:
    """A load process on another machine; the process that knows its agent holds the other end of `sock`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """Where its lines come from."""
        return self._sock.fileno()

    def send(self, line: bytes) -> None:
        """A line to it.

        Raises:
            BrokenPipeError: it is gone.
        """
        self._sock.sendall(line)

    def how_it_ended(self) -> str:
        """After its last line."""
        return "the connection was lost"

    def interrupt(self) -> None:
        """Ask it to end now and keep its rows."""
        try:
            self.send(orjson.dumps({"do": "end"}, option=orjson.OPT_APPEND_NEWLINE))
        except (BrokenPipeError, ConnectionResetError):
            return

    def close(self) -> None:
        """Let go of it: its agent kills what still runs."""
        self._sock.close()


End = LocalEnd | RemoteEnd


def log_tail(path: Path, lines: int) -> str | None:
    """The last lines of a log; None where there is nothing."""
    return (
        "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) or None if path.exists() else None
    )


def _close_quietly(pipe: Any) -> None:
    try:
        pipe.close()
    except BrokenPipeError:  # what was buffered for a process that died
        return
