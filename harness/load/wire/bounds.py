"""How much of anything one answer may have. A real server comes near none of it; one that goes beyond is cut off."""

import gevent

MAX_BARE_BYTES = 64 << 10  # in a row without a byte of body: head, interim answers, chunk extensions, trailers
MAX_INTERIMS = 100  # answers such as `100 Continue` before the real one
MAX_LINE_BYTES = 8 << 20  # of a stream
MAX_EVENT_BYTES = 8 << 20  # of a stream, over all of its lines
MAX_WHOLE_BYTES = 8 << 20  # of an answer that is not streamed
MAX_ANSWER_BYTES = 16 << 20  # on the wire, and once more where they are unpacked; and beyond them
MAX_TOKEN_BYTES = 16 << 10  # for each token that was asked for
MAX_EVENTS = 65_536  # of a stream; and beyond them
MAX_TOKEN_EVENTS = 16  # for each token that was asked for
OPEN_TOKENS = 4096  # taken to be asked for where the request leaves it to the server

FAIR_BYTES = 64 << 10  # of one answer, before all others have a turn
_A_TURN_S = 1e-9  # more than 0, so that the loop goes round once, with its timers and its sockets


class Oversize(Exception):
    """An answer goes beyond a limit; says which."""


def most_bytes(asked: int | None) -> int:
    """Of an answer to a request for so many tokens; None: it leaves that open."""
    return MAX_ANSWER_BYTES + MAX_TOKEN_BYTES * (OPEN_TOKENS if asked is None else asked)


def most_events(asked: int | None) -> int:
    """Of a stream for so many tokens; None: that is left open."""
    return MAX_EVENTS + MAX_TOKEN_EVENTS * (OPEN_TOKENS if asked is None else asked)


class Meter:
    """Of one answer as it comes in: holds it to its limits, and has it wait for its turn."""

    __slots__ = ("_bare", "_most", "_total", "unshared")

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._total = 0
        self._bare = 0  # bytes since the last one of a body
        self.unshared = 0  # bytes since the others had their turn

    def count(self, raw_bytes: int, body_bytes: int, heads: int = 1) -> None:
        """So many bytes came, with so many of a body in them; the answer so far has so many heads, interim ones too.

        Raises:
            Oversize: they are too many.
        """
        self._total += raw_bytes
        self.unshared += raw_bytes
        self._bare = 0 if body_bytes else self._bare + raw_bytes
        if heads > MAX_INTERIMS + 1:
            raise Oversize(f"HTTP: more than {MAX_INTERIMS} interim answers")
        if self._bare > MAX_BARE_BYTES:
            raise Oversize(f"HTTP: more than {MAX_BARE_BYTES} bytes of headers or chunk extensions in a row")
        if self._total > self._most:
            raise Oversize(f"the answer has more than {self._most} bytes")

    def share(self) -> None:
        """Let everything else run that is due; wanted once `unshared` is FAIR_BYTES: some peers never pause."""
        self.unshared = 0
        gevent.sleep(_A_TURN_S)
