"""A command of this box asked for what it prints, within bounds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from typing import List, NamedTuple, Optional

MOST_S = 10.0
MOST_BYTES = 1024 * 1024


class NotSeen(Exception):
    """Something could not be looked at; why, in a word or two."""


class Printed(NamedTuple):
    """How a command ended, and the beginning of what it printed."""

    code: int
    text: str  # errors too


def printed(argv: List[str], most_s: float = MOST_S) -> Optional[Printed]:
    """What a command prints; None where there is no such command.

    Raises:
        NotSeen: it does not end (a broken driver can hold it beyond any signal), or cannot be started.
    """
    program = shutil.which(argv[0])
    if program is None:
        return None
    plain = dict(os.environ, LC_ALL="C")
    try:
        process = subprocess.Popen(
            [program, *argv[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=plain, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise NotSeen("{} cannot be started: {}".format(argv[0], error.strerror)) from None
    got: List[bytes] = []
    reader = threading.Thread(target=_read, args=(process, got), daemon=True)
    reader.start()
    reader.join(most_s)
    try:
        if reader.is_alive():
            raise NotSeen("{} did not answer within {:g} s".format(argv[0], most_s))
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        raise NotSeen("{} did not end".format(argv[0])) from None
    finally:
        _end(process)
    return Printed(code, b"".join(got).decode("utf-8", "replace"))


def _read(process: subprocess.Popen[bytes], got: List[bytes]) -> None:
    if process.stdout is not None:
        got.append(process.stdout.read(MOST_BYTES))


def _end(process: subprocess.Popen[bytes]) -> None:
    """It and what it started; one that no signal reaches is left to itself."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    try:
        process.wait(1.0)
    except subprocess.TimeoutExpired:
        return
    if process.stdout is not None:
        process.stdout.close()


def first_line(text: str) -> str:
    """The first that says something, cut off."""
    return next((line.strip()[:200] for line in text.splitlines() if line.strip()), "nothing was printed")
