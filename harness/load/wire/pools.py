"""Kept connections: geventhttpclient's pools, with our own sockets, one look-up a host, and any number of files."""

import select
import time
from collections.abc import Callable
from typing import Any

import gevent.lock
import gevent.monkey
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool

from harness.load.wire.sockets import StampedSocket
from harness.load.wire.tls import TlsSocket

Socket = Any  # a gevent socket, plain, stamped or TLS
_POLL = gevent.monkey.get_original("select", "poll")
ADDRESSES_KEPT_S = 10.0
ERROR_KEPT_S = 1.0


def is_idle(sock: Socket | None) -> bool:
    """True for a connection that can be used again: open, and nothing unread in it.

    poll(), because select() cannot look at file descriptors above 1023; unpatched, because gevent's waits.
    """
    if sock is None or sock.fileno() < 0:
        return False
    poll = _POLL()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)


class Addresses:
    """What a host's name stands for, asked anew every 10 s.

    Each look-up runs in a thread that fights with all requests for the interpreter: a hundred connections that open
    together would hold the loop up for milliseconds.
    """

    def __init__(self) -> None:
        self._known: list[Any] = []
        self._error: OSError | None = None
        self._until_s = 0.0
        self._lock = gevent.lock.Semaphore()

    def get(self, look_up: Callable[[], list[Any]]) -> list[Any]:
        """As `look_up` gives them; where it fails what was known before, or its error for a second.

        Raises:
            OSError: the name is not known, and never was.
        """
        with self._lock:
            if time.monotonic() >= self._until_s:
                try:
                    self._known, self._error = look_up(), None
                except OSError as error:
                    self._error = error
                self._until_s = time.monotonic() + (ADDRESSES_KEPT_S if self._known else ERROR_KEPT_S)
            if self._error is not None and not self._known:
                raise self._error
            return self._known


class PlainPool(ConnectionPool):
    """Of sockets that stamp."""

    addresses: Addresses
    on_closed: Callable[[Socket], None]  # told of a kept one that the server has closed meanwhile

    def _resolve(self) -> list[Any]:
        return self.addresses.get(super()._resolve)

    def _create_tcp_socket(self, family: int, socktype: int, protocol: int) -> StampedSocket:
        return StampedSocket(family, socktype, protocol)

    def _is_socket_alive(self, sock: Socket | None) -> bool:
        is_open = is_idle(sock)
        if not is_open:
            self.on_closed(sock)
        return is_open


class TlsPool(SSLConnectionPool):
    """Of https; its stamps are Python's."""

    addresses: Addresses
    on_closed: Callable[[Socket], None]  # told of a kept one that the server has closed meanwhile

    def _resolve(self) -> list[Any]:
        return self.addresses.get(super()._resolve)

    def _connect_socket(self, sock: Socket, address: Any) -> TlsSocket:
        sock.connect(address)
        tls = TlsSocket(sock, self.ssl_context, self._request_host)
        tls.shake_hands()
        return tls

    def _is_socket_alive(self, sock: Socket | None) -> bool:
        is_open = is_idle(sock)
        if not is_open:
            self.on_closed(sock)
        return is_open
