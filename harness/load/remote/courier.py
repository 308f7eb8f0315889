"""Files sent in pieces over messages: the next piece leaves when the last one is known to be there."""

from collections.abc import Callable
from pathlib import Path

import gevent.event
import gevent.lock

from harness.load.remote.messages import Got, Part

PIECE_BYTES = 256 * 1024
PATIENCE_S = 10.0  # for one piece


class NotTaken(Exception):
    """The other side did not say that it has the piece."""


class Courier:
    """Sends files that may still grow; whole lines or not does not matter, they are bytes."""

    def __init__(self, send: Callable[[Part], None]) -> None:
        self._send = send
        self._sent: dict[str, int] = {}  # bytes that are there, by name
        self._name = ""  # of the file under way
        self._got = gevent.event.AsyncResult()
        self._lock = gevent.lock.RLock()

    def ship(self, name: str, path: Path) -> None:
        """Send what `path` holds beyond what is there already.

        Raises:
            NotTaken: no answer; what is there stays known, the rest can be tried again. OSError: not readable.
        """
        with self._lock, path.open("rb") as file:
            while True:
                at = self._sent.get(name, 0)
                file.seek(at)
                data = file.read(PIECE_BYTES)
                if not data:
                    return
                self._sent[name] = self._there(name, at, data)

    def _there(self, name: str, at: int, data: bytes) -> int:
        """Send a piece; how many bytes the other side has then. It may have had some of it from a try before."""
        self._name, self._got = name, gevent.event.AsyncResult()
        self._send(Part(name, at, data))
        try:
            there = int(self._got.get(timeout=PATIENCE_S))
        except gevent.Timeout:
            raise NotTaken(name) from None
        if there <= at:
            raise NotTaken(name)
        return there

    def got(self, answer: Got) -> None:
        """The other side has said how much of a file it has."""
        if answer.name == self._name:  # not of a file that was given up meanwhile
            self._got.set(answer.size)


def take_part(path: Path, part: Part) -> Got:
    """Write a piece where it belongs; the answer to it. A piece that came twice changes nothing.

    Raises:
        OSError: the disk is full or gone.
    """
    has = path.stat().st_size if path.exists() else 0
    if part.at == has:
        with path.open("ab") as file:
            file.write(part.data)
        has += len(part.data)
    return Got(part.name, has)
