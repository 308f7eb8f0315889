"""Sockets that know when their bytes arrived, and a lookout that reads first tokens while Python is busy.

The kernel stamps every segment (SO_TIMESTAMPNS, Linux), so an arrival's time does not depend on when Python came
round to read it. But segments that lie unread are merged, and the merged one keeps the stamp of the last: a first
token that waits is stamped by the tokens behind it. So sockets that wait for a first token are read ahead, at
least each half millisecond, between whatever else this process does.
"""

import atexit
import select
import socket as plain_socket
import struct
import sys
import time
from collections import deque
from typing import Any

import gevent
import gevent.monkey
import gevent.socket

SO_TIMESTAMPNS = getattr(plain_socket, "SO_TIMESTAMPNS", 35)  # 35: Linux; Python 3.11 does not name it
HAS_KERNEL_STAMPS = sys.platform == "linux"
_TIMESPEC = struct.Struct("@ll")  # seconds, nanoseconds
_ANCILLARY_BYTES = plain_socket.CMSG_SPACE(_TIMESPEC.size) if HAS_KERNEL_STAMPS else 0

FIRST_READ_BYTES = 256  # until the first token: about one event a read, so that its stamp is its own
READ_BYTES = 65536  # afterwards
MOST_AHEAD_BYTES = 1 << 20  # that are read for one socket before anybody asks
MOST_AHEAD = 2048  # reads of them
GLANCE_NS = 500_000
READABLE = 1  # libev's EV_READ

_TCP_INFO = getattr(plain_socket, "TCP_INFO", None) if HAS_KERNEL_STAMPS else None
_INFO = struct.Struct("=B119xQ")  # of linux/tcp.h's tcp_info: the state, and at 120 the bytes acknowledged
_TCP_CLOSE = 7
_REFUSAL_S = 1.0  # the longest that a peer's "no such connection" is waited for
_EPOLL = gevent.monkey.get_original("select", "epoll") if HAS_KERNEL_STAMPS else None  # gevent takes it away


class StampedSocket(gevent.socket.socket):  # type: ignore[name-defined]
    """A gevent socket that remembers when the kernel got what it last read.

    `arrived_ns` is CLOCK_REALTIME of the last segment read, or None where the kernel gives none.
    """

    arrived_ns: int | None = None

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._ahead: deque[tuple[bytes, int | None] | OSError] = deque()  # read before anybody asked
        self._ahead_bytes = 0  # of them
        self._was_emptied = False  # the last read took all there was
        self.setsockopt(plain_socket.IPPROTO_TCP, plain_socket.TCP_NODELAY, 1)
        if HAS_KERNEL_STAMPS:
            self.setsockopt(plain_socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read up to `size` bytes (more where the lookout was here first) and keep the kernel's stamp.

        Raises:
            OSError: the connection is broken.
        """
        if not HAS_KERNEL_STAMPS:
            return bytes(super().recv(size, flags))
        LOOKOUT.glance()
        while True:
            if self._ahead:
                piece = self._ahead.popleft()
                if isinstance(piece, OSError):
                    raise piece
                data, self.arrived_ns = piece
                self._ahead_bytes -= len(data)
                return data
            if self._was_emptied:
                self._was_emptied = False
            else:
                try:
                    data, self.arrived_ns = self._read(size)
                except BlockingIOError:
                    pass
                else:
                    self._was_emptied = 0 < len(data) < size
                    return data
            self._wait(self._read_event)

    def read_ahead(self) -> None:
        """Take what lies unread, for the next `recv`, and wake whoever waits for it."""
        if self._ahead_bytes >= MOST_AHEAD_BYTES or len(self._ahead) >= MOST_AHEAD:
            return
        try:
            read = self._read(READ_BYTES)
            self._ahead.append(read)
            self._ahead_bytes += len(read[0])
        except BlockingIOError:
            return
        except OSError as error:
            self._ahead.append(error)
        event = self._read_event
        if event is not None and event.callback is not None:
            event.feed(READABLE, event.callback, *event.args)

    def _read(self, size: int) -> tuple[bytes, int | None]:
        data, ancillary, _, _ = self._sock.recvmsg(size, _ANCILLARY_BYTES)
        for level, kind, payload in ancillary:
            if level == plain_socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(payload) >= _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack_from(payload)
                return data, seconds * 1_000_000_000 + nanoseconds
        return data, None


def _keep_stamping() -> None:
    """A socket that stays open for as long as the process runs: the kernel begins to stamp a while after the first
    socket of the machine has asked for it, and ends with the last.
    """
    sock = plain_socket.socket(plain_socket.AF_INET, plain_socket.SOCK_DGRAM)
    sock.setsockopt(plain_socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    atexit.register(sock.close)


class Lookout:
    """The sockets of this process that wait for a first token. Where the kernel stamps nothing it does nothing."""

    def __init__(self) -> None:
        self._sockets: dict[int, StampedSocket] = {}
        self._epoll: Any = None  # until it is opened
        self._due_ns = 0

    def open(self) -> None:
        """Be ready, before the first request if the kernel shall stamp its answer; once is enough."""
        if _EPOLL is not None and self._epoll is None:
            self._epoll = _EPOLL()
            _keep_stamping()

    def watch(self, sock: StampedSocket) -> None:
        """A request goes out on `sock`."""
        self.open()
        if self._epoll is not None:
            descriptor = sock.fileno()
            self._sockets[descriptor] = sock
            self._epoll.register(descriptor, select.EPOLLIN)

    def forget(self, sock: StampedSocket) -> None:
        """Its first token is there, or never will be. A socket that is not watched is fine, a closed one is not."""
        if self._epoll is not None and self._sockets.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def glance(self) -> None:
        """Read ahead where something arrived; costs nothing until the next glance is due. Call it often."""
        if not self._sockets or time.monotonic_ns() < self._due_ns:
            return
        for descriptor, _ in self._epoll.poll(0):
            self._sockets[descriptor].read_ahead()
        self._due_ns = time.monotonic_ns() + GLANCE_NS


def acked_bytes(sock: Any) -> int | None:
    """How much of what was ever written here the peer's system has taken in; None where ours does not tell."""
    return None if _TCP_INFO is None else _tcp_info(sock)[1]


def was_closed_unread(sock: Any, acked: int) -> bool:
    """Whether a connection that gave no answer was closed before the last request came to the other side.

    Its system took in no more than the `acked` bytes of before and refuses the connection: proof that no program
    can have read the request. A closed connection alone is none: who read it may have closed it.
    """
    until_s = time.monotonic() + _REFUSAL_S
    while _TCP_INFO is not None:
        state, now = _tcp_info(sock)
        if now > acked or time.monotonic() > until_s:
            return False
        if state == _TCP_CLOSE:
            return True
        gevent.sleep(0.002)
    return False


def _tcp_info(sock: Any) -> tuple[int, int]:
    state, acked = _INFO.unpack(sock.getsockopt(plain_socket.IPPROTO_TCP, _TCP_INFO, _INFO.size))
    return state, acked


LOOKOUT = Lookout()  # one a process, as there is one loop
