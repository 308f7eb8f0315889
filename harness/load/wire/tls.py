"""TLS over a socket of ours, through memory: a peer keeps us inside OpenSSL for as long only as what we hand it lasts.

OpenSSL reads for as long as there is something to read and no content in it; a peer that never pauses (requests to
begin anew, tickets, empty records) would keep it, and with it all other requests, for ever.
"""

import errno
import ssl
from typing import Any

from harness.load.wire.sockets import READ_BYTES

RECORD_BYTES = 16 << 10  # of content at most
MAX_EMPTY_BYTES = 256 << 10  # in a row without content, the handshake among them: OpenSSL takes certificates of 100 KB


class TlsSocket:
    """A connected socket, and TLS on it. It has what a plain one has of the methods that are used."""

    def __init__(self, sock: Any, context: ssl.SSLContext, server_hostname: str) -> None:
        self._sock = sock
        self._coming, self._going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._coming, self._going, server_hostname=server_hostname)
        self._empty_bytes = 0  # that came since content last did
        self.fileno, self.close, self.settimeout = sock.fileno, sock.close, sock.settimeout
        self.getsockopt = sock.getsockopt

    def shake_hands(self) -> None:
        """Agree on keys.

        Raises:
            ssl.SSLError: the peer does not, or is not to be trusted. OSError: the connection broke.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._take()
            except ssl.SSLError:
                self._flush()  # why
                raise
            else:
                self._flush()
                self._empty_bytes = 0
                return

    def recv(self, size: int) -> bytes:
        """Content, at most so many bytes; b"" at the end, however it came.

        Raises:
            OSError: the connection broke, or holds what is no TLS.
        """
        while True:
            try:
                content = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._flush()
                self._take()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            else:
                self._empty_bytes = 0
                return content

    def send(self, data: bytes | memoryview) -> int:
        """Write one record of it; how many bytes that were.

        Raises:
            OSError: the connection broke before the record was whole: nobody can have read it.
        """
        taken = self._tls.write(data[:RECORD_BYTES])
        self._flush()
        return taken

    def sendall(self, data: bytes | memoryview) -> None:
        """Write all of it.

        Raises:
            OSError: the connection broke.
        """
        while data:
            data = data[self.send(data) :]

    def _flush(self) -> None:
        if self._going.pending:
            self._sock.sendall(self._going.read())

    def _take(self) -> None:
        piece = self._sock.recv(READ_BYTES)
        self._empty_bytes += len(piece)
        if self._empty_bytes > MAX_EMPTY_BYTES:
            raise ssl.SSLError(errno.EPROTO, f"more than {MAX_EMPTY_BYTES} bytes without content")
        if piece:
            self._coming.write(piece)
        else:
            self._coming.write_eof()
