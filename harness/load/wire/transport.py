"""HTTP over sockets that know when their bytes arrived: geventhttpclient keeps the connections and parses."""

import contextlib
import errno
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient.response import HTTPParseError, HTTPResponse

from harness.base.errors import UsageError
from harness.load.wire.bounds import FAIR_BYTES, MAX_ANSWER_BYTES, Meter, Oversize
from harness.load.wire.clock import RunClock
from harness.load.wire.coding import Packed, Unpacker, unpacker_of
from harness.load.wire.headers import head_lines, pause_s
from harness.load.wire.kept import Connections
from harness.load.wire.pools import Addresses, PlainPool, Socket, TlsPool
from harness.load.wire.redact import Secrets
from harness.load.wire.sockets import (
    FIRST_READ_BYTES,
    HAS_KERNEL_STAMPS,
    LOOKOUT,
    READ_BYTES,
    StampedSocket,
    acked_bytes,
    was_closed_unread,
)  # fmt: skip

CONNECT_TIMEOUT_S = 10.0
END_S = 0.05  # for HTTP's own end, after the answer's
MAX_END_BYTES = 1 << 20  # that may come until then
MAX_PAGE_BYTES = 1 << 20  # of an answer to a question outside the load
MAX_TYPE_CHARS = 100  # of a Content-Type that are kept
_VERSION = re.compile(r"/v\d+[a-z0-9.]*$")  # /v1, /api/paas/v4, /v1beta


class _Response(HTTPResponse):
    """The HTTP parser alone: bytes in, status, headers and body bytes out."""

    heads = 0  # that came to their end: those of interim answers, and the answer's own

    def _on_headers_complete(self) -> int | bool | None:
        self.heads += 1
        return super()._on_headers_complete()

    def take_body(self) -> bytes:
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
    awaits_first: bool = True  # the first token is still to come: whoever takes the bytes says when it came
    complete: bool = False  # the answer ended as HTTP says it should
    is_over: bool = False  # the answer itself said that it is over: whatever HTTP does now is no part of it

    @property
    def is_success(self) -> bool:
        """Any 2xx: a framework may call an answer to POST `201 Created`."""
        return self.status is not None and 200 <= self.status < 300


OnBytes = Callable[[Exchange, bytes], None]


class ConnectFailed(Exception):
    """No connection: refused, unreachable, no such host, TLS refused."""


class ConnectionLost(Exception):
    """The connection was reset, or closed before any answer."""


class NothingAnswered(ConnectionLost):
    """It was closed, in good order, before a byte of an answer."""


class NeverRead(ConnectionLost):
    """It was closed already when the request was written: nobody can have read that."""


class Late(Exception):
    """No whole answer in time. Not a TimeoutError: that is an OSError, which would be the connection's."""


class Target:
    """One base URL and its kept connections; `in_flight` requests are on it now."""

    def __init__(self, url: str, headers: Mapping[str, str], clock: RunClock, *, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"`{url}` is not an http:// or https:// URL", hint="--url http://127.0.0.1:8000")
        self.url = url
        self.clock = clock
        path = parts.path.rstrip("/")
        version = _VERSION.search(path)
        self.prefix = path[: version.start()] if version else path
        self.version = version[0] if version else "/v1"
        self.secrets = Secrets(headers)
        self.in_flight = 0
        self._ends: bool | None = None  # whether HTTP ends an answer that is over; one that did once is waited for
        port = parts.port or (443 if parts.scheme == "https" else 80)
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        self._head = head_lines(host if port in {80, 443} else f"{host}:{port}", headers)
        kwargs: dict[str, Any] = {"size": 1_000_000, "connection_timeout": CONNECT_TIMEOUT_S, "network_timeout": None}
        address = (parts.hostname, port, parts.hostname, port)
        if parts.scheme == "https":
            options = {"ca_certs": ca_file} if ca_file else None
            pool: TlsPool | PlainPool = TlsPool(*address, ssl_options=options, **kwargs)
        else:
            pool = PlainPool(*address, **kwargs)
        pool.addresses = Addresses()
        self._connections = Connections(pool)

    def request(
        self, method: str, path: str, on_bytes: OnBytes, exchange: Exchange, *, body: bytes = b"", headers: str = ""
    ) -> None:
        """Send one request; hand each piece of the answer's body to `on_bytes`.

        `exchange` is filled in as things happen, so that a caller that is interrupted keeps what was seen.

        Raises:
            ConnectFailed, ConnectionLost, Packed, Oversize: see there. HTTPParseError: not HTTP, or cut in the middle.
        """
        route = f"{method} {self.route(path)}"
        head = f"{route} HTTP/1.1\r\n{self._head}{headers}"
        data = f"{head}Content-Length: {len(body)}\r\n\r\n".encode("latin-1") + body
        while True:
            sock = self._connect()
            exchange.attempts += 1
            try:
                self._exchange(sock, route, data, on_bytes, exchange)
            except NeverRead:
                continue  # it was a kept connection, and there are only so many
            return

    def route(self, path: str) -> str:
        """Where `path` lies on this server; its `/v1/` is the version that the URL ends in."""
        below = path.removeprefix("/v1/")
        return self.prefix + (path if below == path else f"{self.version}/{below}")

    def _connect(self) -> Socket:
        try:
            return self._connections.take()
        except ssl.SSLError as error:
            told = getattr(error, "verify_message", "")
            raise ConnectFailed(f"TLS: {error.reason or error}{f' ({told})' if told else ''}") from None
        except OSError as error:
            raise ConnectFailed(str(error.strerror or error)) from None

    def _exchange(self, sock: Socket, route: str, data: bytes, on_bytes: OnBytes, exchange: Exchange) -> None:
        response = _Response(route.partition(" ")[0])
        reusable = False
        stamped = isinstance(sock, StampedSocket)
        was_kept = hasattr(sock, "route")
        acked = acked_bytes(sock) if was_kept else None
        exchange.kernel_clock = stamped and HAS_KERNEL_STAMPS
        try:
            if stamped:
                LOOKOUT.watch(sock)
            if exchange.sent_ns is None:
                exchange.sent_ns = time.monotonic_ns()
            _send(sock, data, was_kept=was_kept)
            _receive(sock, response, on_bytes, self.clock, exchange)
            if exchange.is_over and not response.message_complete and self._ends is not False:
                self._ends = _reads_end(sock, response) or self._ends or False
            exchange.complete = response.message_complete
            reusable = not response.should_close()
        except NothingAnswered:
            if acked is not None and was_closed_unread(sock, acked):
                raise NeverRead from None
            raise
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "")
            raise ConnectionLost(f"{name} {error.strerror or error}".strip()) from None
        finally:
            if stamped:
                LOOKOUT.forget(sock)
            if was_kept and exchange.status is None:
                self._connections.doubt(sock)
            if reusable:
                exchange.rest_s = self._connections.give_back(sock, route)
            else:
                self._connections.drop(sock)

    @property
    def found_closed(self) -> int:
        """Kept connections that the server had closed when they were to be used again."""
        return self._connections.found_closed

    @property
    def connections(self) -> int:
        """Open connections: those with a request on them and those kept."""
        return self.in_flight + self._connections.idle

    def close(self) -> None:
        """Close the kept connections."""
        self._connections.close()


def _send(sock: Socket, data: bytes, *, was_kept: bool) -> None:
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


def _receive(sock: Socket, response: _Response, on_bytes: OnBytes, clock: RunClock, exchange: Exchange) -> None:
    """Read the answer to its end, each piece of its body handed on with its stamp.

    Raises:
        ConnectionLost: it ended before any answer. OSError: the connection broke. Oversize: it goes beyond a limit.
    """
    stamped = watched = isinstance(sock, StampedSocket)
    meter = Meter(exchange.most_bytes)
    while not response.message_complete or response.get_code() < 200:
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


def _reads_end(sock: Socket, response: _Response) -> bool:
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


def _note_headers(exchange: Exchange, response: _Response) -> None:
    exchange.headers_ns = exchange.arrived_ns
    exchange.status = response.get_code()
    exchange.content_type = str(response.get("content-type") or "")[:MAX_TYPE_CHARS].lower()
    exchange.headers = response
    exchange.retry_after_s = pause_s(response, datetime.now(UTC)) if exchange.status >= 400 else None
    exchange.unpacker = unpacker_of(str(response.get("content-encoding") or ""))


def fetch(target: Target, path: str, *, body: bytes | None = None, timeout_s: float) -> tuple[int, bytes]:
    """Ask one small question outside the load: (status, body); what quotes a secret of ours is struck out.

    Raises:
        ConnectFailed, ConnectionLost: see there. Late: no whole answer in time.
    """
    whole = bytearray()

    def keep(_: Exchange, piece: bytes) -> None:
        whole.extend(piece)
        if len(whole) > MAX_PAGE_BYTES:
            raise ConnectionLost(f"{path} answers with more than {MAX_PAGE_BYTES} bytes")

    exchange = Exchange(awaits_first=False)
    method = "GET" if body is None else "POST"
    with gevent.Timeout(timeout_s, Late(f"{path}: no answer in {timeout_s:g} s")):
        try:
            target.request(method, path, keep, exchange, body=body or b"")
        except HTTPParseError as error:
            raise ConnectionLost(f"not HTTP: {error}") from None
        except (Packed, Oversize) as error:
            raise ConnectionLost(str(error)) from None
    page = bytes(whole)  # a model's name is asked for as it is, even where a header names it too
    return exchange.status or 0, page if path.endswith("/models") else target.secrets.struck_out_of(page)
