"""What a load process is told on its standard input: where to begin, then commands. Its end: the parent is gone."""

import os
from collections.abc import Callable

import gevent.socket

from harness.load.protocol import Begin, Command, Malformed, command_of, name_of

STDIN = 0
READ_BYTES = 65536


class Inbox:
    """The lines of standard input, read without a buffer that would hide one."""

    def __init__(self) -> None:
        self._pending = b""

    def first(self) -> Begin | None:
        """Wait for the first line; None when the parent went away before it came.

        Raises:
            Malformed: it is no plan.
        """
        while b"\n" not in self._pending:
            data = os.read(STDIN, READ_BYTES)
            if not data:
                return None
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        command = command_of(line)
        if not isinstance(command, Begin):
            raise Malformed(f"`{name_of(type(command))}` before the plan")
        return command

    def listen(
        self,
        on_command: Callable[[Command], None],
        on_malformed: Callable[[Malformed], None],
        on_end: Callable[[], None],
    ) -> None:
        """Hand on every further command, until the input ends."""
        while True:
            *lines, self._pending = self._pending.split(b"\n")
            for line in lines:
                try:
                    command = command_of(line)
                except Malformed as error:
                    on_malformed(error)
                else:
                    on_command(command)
            gevent.socket.wait_read(STDIN)  # type: ignore[attr-defined]
            data = os.read(STDIN, READ_BYTES)
            if not data:
                on_end()
                return
            self._pending += data
