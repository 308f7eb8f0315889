"""The parent's end of the line to a load process: lines in, lines out. One class for each place it may run at."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from harness.base.children import PYTHON, python_environment
from harness.load.lines import encode
from harness.load.protocol import Command, End

CHILD = ("-m", "harness.load.process.child")


def start(
    *arguments: str, log: Any = None, pass_fds: Sequence[int] = (), needs: Sequence[str] = ()
) -> subprocess.Popen[bytes]:
    """A process of ours; whatever it prints goes to `log`. It ends when its standard input does.

    Of the environment it gets what any program needs, and the variables named in `needs`.
    """
    return subprocess.Popen(
        [*PYTHON, *arguments],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=pass_fds,
        start_new_session=True,  # Ctrl-C in a terminal reaches us first, and alone
        env=python_environment(needs),
    )


def tell(process: subprocess.Popen[bytes], line: bytes) -> None:
    """A line to its standard input.

    Raises:
        BrokenPipeError: it died.
    """
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def hang_up(process: subprocess.Popen[bytes]) -> None:
    """Kill it if it is there, and tidy up."""
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # what was buffered for a process that died
        process.stdin.close()


def start_child(log: Any, key_env: str | None, fds: Sequence[int] = ()) -> tuple[subprocess.Popen[bytes], int]:
    """A load process that has `fds` too, and the descriptor that its events come out of.

    `key_env`: the variable that holds the endpoint's key.
    """
    events, theirs = os.pipe()
    try:
        return start(*CHILD, str(theirs), log=log, pass_fds=(theirs, *fds), needs=[key_env] if key_env else []), events
    except OSError:
        os.close(events)
        raise
    finally:
        os.close(theirs)


def how_it_ended(code: int) -> str:
    """A load process's exit code in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


class LocalEnd:
    """A load process on this machine, on its pipes."""

    def __init__(self, log: Any, key_env: str | None, fds: Sequence[int] = ()) -> None:
        self.process, self._events = start_child(log, key_env, fds)

    def fileno(self) -> int:
        """Where its lines come from."""
        return self._events

    def send(self, command: Command) -> None:
        """Tell it.

        Raises:
            BrokenPipeError: it died.
        """
        tell(self.process, encode(command))

    def how_it_ended(self) -> str:
        """After its last line."""
        return how_it_ended(self.process.wait())

    def interrupt(self) -> None:
        """Ask it to end now and keep its rows."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; its lines end."""
        self.process.kill()

    def close(self) -> None:
        """Kill it if it is there, and tidy up."""
        hang_up(self.process)
        os.close(self._events)


class RemoteEnd:
    """A load process on another machine; the process that knows its agent holds the other end of `sock`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def fileno(self) -> int:
        """Where its lines come from."""
        return self._sock.fileno()

    def send(self, command: Command) -> None:
        """Tell it.

        Raises:
            BrokenPipeError: it is gone.
        """
        self._sock.sendall(encode(command))

    def how_it_ended(self) -> str:
        """After its last line."""
        return "the connection was lost"

    def interrupt(self) -> None:
        """Ask it to end now and keep its rows."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.send(End())

    def kill(self) -> None:
        """End it at once: where we say nothing more its agent kills it, and its lines end."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Let go of it: its agent kills what still runs."""
        self._sock.close()


LineEnd = LocalEnd | RemoteEnd
