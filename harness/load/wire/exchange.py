"""One request and its answer on a connection: written, read piece by piece with its stamps, held to its limits."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import gevent
from geventhttpclient.response import HTTPParseError, HTTPProtocolViolationError, HTTPResponse

from harness.load.wire.bounds import FAIR_BYTES, MAX_ANSWER_BYTES, Meter, Oversize
from harness.load.wire.clock import RunClock
from harness.load.wire.coding import Unpacker, unpacker_of
from harness.load.wire.headers import pause_s
from harness.load.wire.pools import Socket
from harness.load.wire.sockets import FIRST_READ_BYTES, LOOKOUT, READ_BYTES, StampedSocket

END_S = 0.05  # for HTTP's own end, after the answer's
MAX_END_BYTES = 1 << 20  # that may come until then
MAX_TYPE_CHARS = 100  # of a Content-Type that are kept


class Response(HTTPResponse):
    """The HTTP parser alone: bytes in, status, headers and body bytes out."""

    heads = 0  # that came to their end: those of interim answers, and the answer's own

    @property
    def is_answered(self) -> bool:
        """Whether the answer itself has ended; an interim one is none."""
        return bool(self.message_complete) and self.get_code() >= 200

    def feed(self, data: str | bytes) -> None:
        """Take the next bytes; what follows a whole answer is no part of it, and costs the connection alone."""
        try:
            super().feed(data)
        except HTTPParseError:
            if not self.is_answered:
                raise
            self._trailing_data_dropped = True  # the connection will not be kept

    def _on_message_begin(self) -> None:
        if self.is_answered:
            raise HTTPProtocolViolationError("more than was asked for")
        super()._on_message_begin()

    def _on_headers_complete(self) -> int | bool | None:
        self.heads += 1
        return super()._on_headers_complete()

    def take_body(self) -> bytes:
        """What came of the body since it was last taken."""
        body = bytes(self._body_buffer)
        self._body_buffer.clear()
        return body


@dataclass(slots=True)
class Exchange:
    """One request and its answer on the wire. Stamps are CLOCK_MONOTONIC ns."""

    most_bytes: int = MAX_ANSWER_BYTES  # of the answer
    sent_ns: int | None = None
    headers_ns: int | None = None
    arrived_ns: int = 0  # of the bytes handed out last
    kernel_clock: bool = False  # every stamp so far came from the kernel
    status: int | None = None
    content_type: str = ""
    retry_after_s: float | None = None  # that the answer asks for
    headers: Any = None  # of the answer, by `.get(name)`
    unpacker: Unpacker | None = None  # of a body that comes compressed
    rest_s: float = 0.0  # to wait before the next request, until the connection is seen to stay open
    attempts: int = 0  # times it was written: a second where the first went into a closed connection
    may_write_again: Callable[[], bool] | None = None  # asked before a second time, where it costs something
    awaits_first: bool = True  # the first token is still to come: whoever takes the bytes says when it came
    complete: bool = False  # the answer ended as HTTP says it should
    is_over: bool = False  # the answer itself said that it is over: whatever HTTP does now is no part of it

    @property
    def is_success(self) -> bool:
        """Any 2xx: a framework may call an answer to POST `201 Created`."""
        return self.status is not None and 200 <= self.status < 300


OnBytes = Callable[[Exchange, bytes], None]


class ConnectionLost(Exception):
    """The connection was reset, or closed before any answer."""


class NothingAnswered(ConnectionLost):
    """It was closed, in good order, before a byte of an answer."""


class NeverRead(ConnectionLost):
    """It was closed already when the request was written: nobody can have read that."""


def send(sock: Socket, data: bytes, *, was_kept: bool) -> None:
    """Write the request.

    Raises:
        NeverRead: a kept connection took not one byte. OSError: the connection broke.
    """
    try:
        taken = sock.send(data)
    except OSError:
        if was_kept:
            raise NeverRead from None
        raise
    if taken < len(data):
        sock.sendall(memoryview(data)[taken:])


def receive(sock: Socket, response: Response, on_bytes: OnBytes, clock: RunClock, exchange: Exchange) -> None:
    """Read the answer to its end, each piece of its body handed on with its stamp.

    Raises:
        ConnectionLost: it ended before any answer. OSError: the connection broke. Oversize: it goes beyond a limit.
    """
    stamped = watched = isinstance(sock, StampedSocket)
    meter = Meter(exchange.most_bytes)
    while not response.is_answered:
        if meter.unshared >= FAIR_BYTES:
            meter.share()
        piece = sock.recv(FIRST_READ_BYTES if exchange.awaits_first else READ_BYTES)
        arrived_ns = sock.arrived_ns if stamped else None
        if arrived_ns is None:
            exchange.arrived_ns = time.monotonic_ns()
            exchange.kernel_clock = exchange.kernel_clock and not piece
        else:
            exchange.arrived_ns = clock.from_realtime_ns(arrived_ns)
        broken = None
        try:
            response.feed(piece)
        except HTTPParseError as error:  # what came before it in the same read counts
            broken = error
        body = response.take_body()
        meter.count(len(piece), len(body), response.heads)
        if exchange.status is None:
            if broken is not None and not response.headers_complete:
                raise broken
            if not piece:
                raise NothingAnswered("closed before any answer")
            if not response.headers_complete or response.get_code() < 200:
                continue
            _note_headers(exchange, response)
        if body and exchange.unpacker is not None:
            body = _unpacked(exchange, exchange.unpacker.feed(body), on_bytes, meter)
        if body:
            on_bytes(exchange, body)
            if watched and not exchange.awaits_first:
                LOOKOUT.forget(sock)
                watched = False
            if exchange.is_over:
                return
        if broken is not None:
            raise broken
        if not piece:
            return


def _unpacked(exchange: Exchange, body: bytes, on_bytes: OnBytes, meter: Meter) -> bytes:
    """The last of what a piece unpacked to; where it is more than a read brings, the rest is handed on read by read."""
    while len(body) > READ_BYTES:
        meter.count(READ_BYTES, READ_BYTES)
        meter.share()
        on_bytes(exchange, body[:READ_BYTES])
        body = body[READ_BYTES:]
    meter.count(len(body), len(body))
    return body


def reads_end(sock: Socket, response: Response) -> bool:
    """Let HTTP end an answer that is over, so that the connection can be kept; whether it did in time."""
    meter = Meter(MAX_END_BYTES)
    with contextlib.suppress(OSError, HTTPParseError, Oversize), gevent.Timeout(END_S, exception=False):
        while not response.message_complete:
            meter.share()
            piece = sock.recv(READ_BYTES)
            response.feed(piece)
            meter.count(len(piece), len(response.take_body()))
            if not piece:
                break
        return True
    return False


def _note_headers(exchange: Exchange, response: Response) -> None:
    exchange.headers_ns = exchange.arrived_ns
    exchange.status = response.get_code()
    exchange.content_type = str(response.get("content-type") or "")[:MAX_TYPE_CHARS].lower()
    exchange.headers = response
    exchange.retry_after_s = pause_s(response, datetime.now(UTC)) if exchange.status >= 400 else None
    exchange.unpacker = unpacker_of(str(response.get("content-encoding") or ""))
