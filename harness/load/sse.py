"""Server-sent events out of bytes that arrive in any pieces. No I/O."""

from __future__ import annotations


class SseParser:
    """Incremental parser for all backends.

    Lines end in LF or CRLF, an event ends at an empty line. `data:` may be followed by a space or not;
    several `data:` lines of one event are joined by LF; comments (`:`) and other fields are skipped.
    """

    __slots__ = ("_data", "_tail")

    def __init__(self) -> None:
        self._tail = b""  # an unfinished line
        self._data: list[bytes] = []  # data lines of the unfinished event

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; give the payloads of the events they finish, in order."""
        lines = (self._tail + piece if self._tail else piece).split(b"\n")
        self._tail = lines.pop()
        events: list[bytes] = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if not line:
                self._end_event(events)
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
        return events

    def close(self) -> list[bytes]:
        """The stream has ended: the event that was not followed by an empty line, if there is one."""
        events = self.feed(b"\n") if self._tail else []
        self._end_event(events)
        return events

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data = []
