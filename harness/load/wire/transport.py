"""HTTP over sockets that know when their bytes arrived: whom a request goes to, over connections that are kept."""

import errno
import re
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import gevent
from geventhttpclient.response import HTTPParseError

from harness.base.errors import UsageError
from harness.load.wire.bounds import Oversize
from harness.load.wire.clock import RunClock
from harness.load.wire.coding import Packed
from harness.load.wire.exchange import (
    ConnectionLost,
    Exchange,
    NeverRead,
    NothingAnswered,
    OnBytes,
    Response,
    reads_end,
    receive,
    send,
)
from harness.load.wire.headers import head_lines
from harness.load.wire.kept import Connections
from harness.load.wire.pools import Addresses, PlainPool, Socket, TlsPool
from harness.load.wire.redact import Secrets
from harness.load.wire.sockets import (
    HAS_KERNEL_STAMPS,
    LOOKOUT,
    StampedSocket,
    acked_bytes,
    was_closed_unread,
)  # fmt: skip

CONNECT_TIMEOUT_S = 10.0
MAX_PAGE_BYTES = 1 << 20  # of an answer to a question outside the load
_VERSION = re.compile(r"/v\d+[a-z0-9.]*$")  # /v1, /api/paas/v4, /v1beta


class ConnectFailed(Exception):
    """No connection: refused, unreachable, no such host, TLS refused."""


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
            except NeverRead:  # it was a kept connection, and there are only so many
                if exchange.may_write_again is not None and not exchange.may_write_again():
                    raise
                continue
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
            reason = getattr(error, "reason", None) or error.strerror or error  # OpenSSL's, or ours
            raise ConnectFailed(f"TLS: {reason}{f' ({told})' if told else ''}") from None
        except OSError as error:
            raise ConnectFailed(str(error.strerror or error)) from None

    def _exchange(self, sock: Socket, route: str, data: bytes, on_bytes: OnBytes, exchange: Exchange) -> None:
        response = Response(route.partition(" ")[0])
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
            send(sock, data, was_kept=was_kept)
            receive(sock, response, on_bytes, self.clock, exchange)
            if exchange.is_over and not response.message_complete and self._ends is not False:
                self._ends = reads_end(sock, response) or self._ends or False
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
