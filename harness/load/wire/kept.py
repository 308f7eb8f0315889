"""The connections to one address: which of the kept ones a request may go out on.

Some servers promise to keep a connection and close it right after the answer. A request that is written meanwhile is
lost, and nobody can tell whether it was read. So the first connections that come back from a route rest a moment
before they are used again; a route after whose answers they are closed is from then on asked over new ones.
"""

import time

import gevent

from harness.load.wire.pools import PlainPool, Socket, TlsPool, is_idle

REST_S = 0.025  # a server that closes does so within a few milliseconds
SOON_S = 1.0  # closed later than this after an answer is closed because it lay idle


class Connections:
    """Of one address. A socket that was used before has a `route`: what it was used for last."""

    def __init__(self, pool: PlainPool | TlsPool) -> None:
        self._pool = pool
        self._keeps: dict[str, bool] = {}  # by route: whether they stay open after its answers
        self.found_closed = 0  # that the server had promised to keep, as far as they were to be used again
        pool.on_closed = self._closed

    def take(self) -> Socket:
        """One that is open: a kept one, or a new one.

        Raises:
            OSError: none can be opened.
        """
        while True:
            sock = self._pool.get_socket()
            route = getattr(sock, "route", None)
            if route is None or route in self._keeps or self._stays_open(sock):
                return sock
            self._closed(sock)
            self._pool.release_socket(sock)

    def _closed(self, sock: Socket) -> None:
        self.found_closed += 1
        if time.monotonic() < sock.back_s + SOON_S:
            self._keeps.setdefault(sock.route, False)

    def _stays_open(self, sock: Socket) -> bool:
        """Whether one that came back is still open when it has rested."""
        try:
            gevent.sleep(max(sock.back_s + REST_S - time.monotonic(), 0))
        except BaseException:
            self._pool.release_socket(sock)
            raise
        return is_idle(sock)

    def give_back(self, sock: Socket, route: str) -> float:
        """A whole answer has come over it, to a request to `route`, and the server means to keep it.

        How long whoever asked does well to wait before it asks again, in seconds: until it is seen to stay open.
        """
        before = getattr(sock, "route", None)
        if before is not None:
            self._keeps.setdefault(before, True)
        if self._keeps.get(route) is False:
            self.found_closed += 1
            self._pool.release_socket(sock)
            return 0.0
        sock.route, sock.back_s = route, time.monotonic()
        self._pool.return_socket(sock)
        return 0.0 if route in self._keeps else REST_S

    def drop(self, sock: Socket) -> None:
        """It is of no use any more."""
        self._pool.release_socket(sock)

    def doubt(self, sock: Socket) -> None:
        """A kept one was closed over a request: whether that is usual must be seen again."""
        if self._keeps.get(sock.route):
            del self._keeps[sock.route]

    @property
    def idle(self) -> int:
        """How many are open and have no request on them."""
        return int(self._pool._socket_queue.qsize())

    def close(self) -> None:
        """Close those that are idle."""
        self._pool.close()
