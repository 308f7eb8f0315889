"""What a load process says to its parent: lines on a descriptor of their own, written without ever waiting.

The loop that says them is the one that measures: a parent that is slow to read must not hold it up.
"""

import os

import gevent
import gevent.socket

from harness.load.lines import encode
from harness.load.protocol import Alive, Event, Live

ALIVE_S = 5.0
PATIENCE_S = 30.0  # for the last words to be read


class Outbox:
    """Event lines on `descriptor`; what does not fit into the pipe waits here for the parent to read on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._pending = bytearray()
        self._writer: gevent.Greenlet | None = None
        os.set_blocking(descriptor, False)

    def say(self, event: Event) -> None:
        """One line; a sample is left out while others wait, since a newer one will come."""
        if self._pending and isinstance(event, Live | Alive):
            return
        self._pending += encode(event)
        self._write()
        if self._pending and (self._writer is None or self._writer.dead):
            self._writer = gevent.spawn(self._write_on)

    def say_alive(self) -> None:
        """For ever, each ALIVE_S."""
        while True:
            self.say(Alive())
            gevent.sleep(ALIVE_S)

    def close(self) -> None:
        """Return when all has been read, or the parent does not read any more."""
        if self._writer is not None:
            self._writer.join(PATIENCE_S)

    def _write_on(self) -> None:
        while self._pending:
            gevent.socket.wait_write(self._descriptor)  # type: ignore[attr-defined]
            self._write()

    def _write(self) -> None:
        try:
            while self._pending:
                written = os.write(self._descriptor, self._pending)
                del self._pending[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the parent is gone: the inbox notices, and ends the load
            self._pending.clear()
