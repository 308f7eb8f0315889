"""Server-sent events out of bytes that arrive in any pieces. No I/O."""


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
        if not self._tail and not self._data and piece.endswith(b"\n\n") and b"\r" not in piece:
            plain = _plain_events(piece)
            if plain is not None:
                return plain
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


def _plain_events(piece: bytes) -> list[bytes] | None:
    """The payloads where a piece is nothing but whole events of one `data: ` line each, as engines send them: the
    same that line by line would give, at a third of the cost. None where it is anything else.
    """
    events = piece[:-2].split(b"\n\n")
    if piece.count(b"\n") != 2 * len(events):
        return None
    payloads = [event[6:] for event in events if event.startswith(b"data: ")]
    return payloads if len(payloads) == len(events) else None
