"""What the parent says to a load process on its standard input: the plan, then commands, one JSON line each.

    {"do": "steps", "steps": [...], "start_s": ...}   run these one after another, the first from start_s on
    {"do": "cut"}      end the step that is on, and what it has under way
    {"do": "drop"}     end what is under way
    {"do": "finish"}   no more steps come
    {"do": "end"}      end now, keep every row
The end of the input means that the parent is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import gevent.socket
import orjson

STDIN = 0
READ_BYTES = 65536


class Inbox:
    """The lines of standard input, read without a buffer that would hide one."""

    def __init__(self) -> None:
        self._pending = b""

    def first_line(self) -> bytes:
        """Wait for the first line, the plan; b"" when the parent went away before it came."""
        while b"\n" not in self._pending:
            data = os.read(STDIN, READ_BYTES)
            if not data:
                return b""
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def listen(self, on_command: Callable[[dict[str, Any]], None], on_end: Callable[[], None]) -> None:
        """Hand on every further command, until the input ends."""
        while True:
            *lines, self._pending = self._pending.split(b"\n")
            for line in lines:
                on_command(orjson.loads(line))
            gevent.socket.wait_read(STDIN)  # type: ignore[attr-defined]
            data = os.read(STDIN, READ_BYTES)
            if not data:
                on_end()
                return
            self._pending += data
