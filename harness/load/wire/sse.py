"""Server-sent events out of bytes that arrive in any pieces. No I/O."""

import orjson

from harness.load.wire.bounds import MAX_EVENT_BYTES, MAX_LINE_BYTES, Oversize

LINE_BYTES = 64  # that keeping a line takes beside its text
MOST_LINES_ASKED = 32  # an event of more lines than these ends at an empty line only,
MOST_BYTES_ASKED = 1 << 20  # and so does a larger one
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ErrorEvent(bytes):
    """The payload of an event that is called `error`."""


class SseParser:
    """Incremental parser for all backends.

    As the standard has it: lines end in LF, CRLF or CR, a byte order mark may come first, an event ends at an empty
    line. `data:` may be followed by a space or not; several `data:` lines of one event are joined by LF; comments (`:`)
    and other fields are skipped, but for `event: error`. Beyond it, as it was seen: where no empty line parts events,
    a line that is a whole JSON object is one. What it does and holds grows with what came, and no faster.
    """

    __slots__ = ("_after_cr", "_asked", "_begun", "_data", "_held_bytes", "_is_error", "_tail")

    def __init__(self) -> None:
        self._tail = bytearray()  # an unfinished line
        self._data: list[bytes] = []  # data lines of the unfinished event
        self._held_bytes = 0  # that they take
        self._asked = 0  # how many of them there were when they were last found to be no whole object
        self._begun = False  # the first line is over
        self._after_cr = False  # an LF that comes next belongs to that CR
        self._is_error = False  # the unfinished event is called `error`

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next bytes; give the payloads of the events they finish, in order.

        Raises:
            Oversize: a line or an event is too long.
        """
        if self._after_cr or b"\r" in piece:
            piece = self._with_lf(piece)
        if not self._tail and not self._data and not self._is_error and piece.endswith(b"\n\n"):
            plain = _plain_events(piece)
            if plain is not None:
                self._begun = True
                return plain
        lines = self._lines(piece)
        events: list[bytes] = []
        for line in lines:
            if not self._begun:
                line, self._begun = line.removeprefix(_BYTE_ORDER_MARK), True
            if not line:
                self._end_event(events)
            elif line.startswith(b"data:"):
                if self._is_complete():  # no empty line came between
                    self._end_event(events)
                self._hold(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b"event:"):
                if self._stands_alone():
                    self._end_event(events)
                self._is_error = line[6:].strip() == b"error"
        if self._stands_alone():
            self._end_event(events)
        return events

    def close(self) -> list[bytes]:
        """The stream has ended: the event that was not followed by an empty line, if there is one."""
        events = self.feed(b"\n") if self._tail else []
        self._end_event(events)
        return events

    def _lines(self, piece: bytes) -> list[bytes]:
        """The lines that the piece ends; what begins one is kept."""
        if self._tail and b"\n" in piece:
            piece = b"".join((self._tail, piece))
            self._tail.clear()
        lines = piece.split(b"\n")
        rest = lines.pop()
        if rest:
            self._tail += rest
            if len(self._tail) > MAX_LINE_BYTES:
                raise Oversize(f"the stream has a line of more than {MAX_LINE_BYTES} bytes")
        return lines

    def _hold(self, data: bytes) -> None:
        self._held_bytes += len(data) + LINE_BYTES
        if self._held_bytes > MAX_EVENT_BYTES:
            raise Oversize(f"the stream has an event of more than {MAX_EVENT_BYTES} bytes")
        self._data.append(data)

    def _stands_alone(self) -> bool:
        """Whether the one line of the unfinished event is all of it, as far as can be told without the next."""
        return len(self._data) == 1 and not self._is_error and self._is_complete()

    def _is_complete(self) -> bool:
        """Whether the lines of the unfinished event are a whole object already; they are asked once a line."""
        lines = len(self._data)
        if lines == self._asked or lines > MOST_LINES_ASKED or self._held_bytes > MOST_BYTES_ASKED:
            return False
        self._asked = lines
        return _is_whole(b"\n".join(self._data))

    def _with_lf(self, piece: bytes) -> bytes:
        """The piece with all its lines ended by LF; a CR at its end ends a line, whatever follows."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            event = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._data, self._held_bytes, self._asked = [], 0, 0
            events.append(ErrorEvent(event) if self._is_error else event)
        self._is_error = False


def _is_whole(data: bytes) -> bool:
    """Whether this is a JSON object from its beginning to its end, or OpenAI's end mark."""
    if not (data.startswith(b"{") and data.endswith(b"}")):
        return data == b"[DONE]"
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _plain_events(piece: bytes) -> list[bytes] | None:
    """The payloads where a piece is nothing but whole events of one `data: ` line each, as engines send them: the
    same that line by line would give, at a third of the cost. None where it is anything else.
    """
    events = piece[:-2].split(b"\n\n")
    if piece.count(b"\n") != 2 * len(events):
        return None
    payloads = [event[6:] for event in events if event.startswith(b"data: ")]
    return payloads if len(payloads) == len(events) else None
