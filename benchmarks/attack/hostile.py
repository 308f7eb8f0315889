"""A server on loopback that floods, stalls and lies, plain or over TLS, on the routes that it is told to."""

import contextlib
import itertools
import os
import socket
import ssl
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
from faulty_exchange import DONE, Exchange, data
from faulty_server import FaultyServer, good

MIB = 1 << 20
ENDLESS_BYTES = 1 << 31  # as good as endless: no client of ours takes so much
PIECE_BYTES = 64 << 10
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CLOSED = STREAM + b"connection: close\r\n\r\n"
CHUNKED = STREAM + b"transfer-encoding: chunked\r\n\r\n"
TOKEN = data({"choices": [{"index": 0, "text": " tok", "delta": {"content": " tok"}}]})
RST = struct.pack("ii", 1, 0)
PAUSE_S = 0.02

Way = Callable[[Exchange], None]


def sends(pieces: Callable[[], Iterable[bytes]]) -> Way:
    """All of them, and then the connection is closed."""

    def way(x: Exchange) -> None:
        x.keeps_alive = False
        for piece in pieces():
            x.sock.sendall(piece)

    return way


def endless(head: bytes, piece: bytes) -> Way:
    """A head, and a piece again and again."""
    many = piece * max(1, PIECE_BYTES // len(piece))
    return sends(lambda: itertools.chain([head], itertools.repeat(many, ENDLESS_BYTES // PIECE_BYTES)))


def then_waits(head: bytes) -> Way:
    def way(x: Exchange) -> None:
        x.sock.sendall(head)
        x.wait_for_client()

    return way


def drips(head: bytes) -> Way:
    """A byte at a time, and its last one again and again."""

    def way(x: Exchange) -> None:
        x.keeps_alive = False
        for byte in itertools.chain(head, itertools.repeat(head[-1], 10_000)):
            x.sock.sendall(bytes([byte]))
            time.sleep(PAUSE_S)

    return way


def packed(line: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(wbits=31)
        yield STREAM + b"content-encoding: gzip\r\nconnection: close\r\n\r\n"
        for n in range(2000):
            yield packer.compress(line % n if b"%d" in line else line)

    return pieces


def resets(x: Exchange) -> None:
    """In the middle of an event."""
    x.keeps_alive = False
    x.sock.sendall(CHUNKED + b"%x\r\n" % len(TOKEN) + TOKEN[:20])
    x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)


def event(value: bytes) -> bytes:
    return CLOSED + b'data: {"choices": [{"index": 0, "text": ' + value + b', "finish_reason": "stop"}]}\n\n' + DONE


WAYS: dict[str, Way] = {
    "endless status": endless(b"HTTP/1.1 200 ", b"O"),
    "endless header": endless(b"HTTP/1.1 200 OK\r\nx-a: ", b"a"),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"x-a: 1\r\n"),
    "endless 100s": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless hints": endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n"),
    "endless extension": endless(CHUNKED + b"1;", b"a"),
    "extensions": endless(CHUNKED, b"1;" + b"a" * 2000 + b"\r\n:\r\n"),
    "endless trailer": endless(CHUNKED + b"0\r\nx-a: ", b"a"),
    "endless line": endless(CLOSED + b"data: ", b"a"),
    "endless event": endless(CLOSED, b"data: a line of text\n"),
    "endless events": endless(CLOSED, TOKEN),
    "endless comments": endless(CLOSED, b": a comment\n\n"),
    "endless empty events": endless(CLOSED, b"data:\n\n"),
    "endless nonsense": endless(CLOSED, b"data: {\n\n"),
    "endless page": endless(b"HTTP/1.1 500 No\r\n\r\n", b"sorry "),
    "endless json": endless(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[", b"{},"),
    "endless metrics": endless(b"HTTP/1.1 200 OK\r\n\r\n# TYPE a counter\n", b"a 1\n"),
    "60 MB event": sends(lambda: [CLOSED, b"data: " + b"a" * 60 * MIB + b"\n\n"]),
    "64k events": sends(lambda: [CLOSED, TOKEN * 65_536, DONE]),
    "a bomb": sends(packed(b"\n" * MIB)),
    "a slow bomb": sends(packed(b": " + bytes(range(97, 123)) * 40 + b"%d\n")),
    "a huge number": sends(lambda: [event(b"1" + b"0" * MIB)]),
    "a deep value": sends(lambda: [event(b"[" * MIB + b"]" * MIB)]),
    "a wide value": sends(lambda: [event(b"[" + b"{}," * 2 * MIB + b"{}]")]),
    "a long text": sends(lambda: [event(b'"' + b"\\u2028\\u001b[2J" * 300_000 + b'"')]),
    "terminal": sends(lambda: [b"HTTP/1.1 500 \x1b[2J\r\n\r\n", b'{"error": "' + b"\\u001b[2J\\u202e" * 90 + b'"}']),
    "too long": then_waits(STREAM + b"content-length: 99999999999\r\n\r\n" + TOKEN),
    "too short": sends(lambda: [STREAM + b"content-length: 7\r\n\r\n" + TOKEN * 9 + DONE]),
    "no such length": sends(lambda: [STREAM + b"content-length: -1\r\n\r\n" + TOKEN]),
    "two lengths": sends(lambda: [STREAM + b"content-length: 1\r\ncontent-length: 99\r\n\r\n" + TOKEN]),
    "no such chunk": sends(lambda: [CHUNKED + b"ffffffffffffffffff\r\n" + TOKEN]),
    "chunk of exabytes": then_waits(CHUNKED + b"7fffffffffffffff\r\n" + TOKEN),
    "two answers": sends(lambda: [STREAM + b"content-length: 0\r\n\r\n" + CHUNKED + b"0\r\n\r\n" + CLOSED + TOKEN]),
    "no http": endless(b"", b"\x00\xff\r\n"),
    "a redirect": sends(lambda: [b"HTTP/1.1 302 Found\r\nlocation: http://a/\x1b[2J" + b"a" * 9000 + b"\r\n\r\n"]),
    "a long pause": sends(lambda: [b"HTTP/1.1 429 No\r\nretry-after: 999999999\r\ncontent-length: 0\r\n\r\n"]),
    "nothing": sends(lambda: []),
    "a page": lambda x: x.whole(200, b"0123456789" * 100_000),
    "silence": then_waits(b""),
    "a head": then_waits(STREAM),
    "half an event": then_waits(CLOSED + TOKEN[:20]),
    "half an answer": sends(lambda: [CHUNKED + b"%x\r\n" % len(TOKEN) + TOKEN[:20]]),
    "drip": drips(b"HTTP/1.1 200 OK\r\nx-a: a"),
    "drip of events": drips(CLOSED + TOKEN + b"data: "),
    "reset": resets,
}  # fmt: skip
ALTERNATING = "alternating"


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(content)) + content


def _flood(sock: socket.socket, piece: bytes) -> None:
    many = piece * max(1, PIECE_BYTES // len(piece))
    for _ in range(ENDLESS_BYTES // PIECE_BYTES):
        sock.sendall(many)


def _wait(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def _drip(sock: socket.socket) -> None:
    for byte in _record(22, b"\x02\x00\x3f\xff" + b"a" * 9000):
        sock.sendall(bytes([byte]))
        time.sleep(PAUSE_S)


def _reset(sock: socket.socket) -> None:
    sock.recv(10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)


HANDSHAKES: dict[str, Callable[[socket.socket], Any]] = {  # instead of one
    "no handshake": _wait,
    "plain text": lambda sock: _flood(sock, b"HTTP/1.1 400 No TLS here\r\n\r\n"),
    "endless handshake": lambda sock: _flood(sock, _record(22, b"\x02\x00\x3f\xff" + b"a" * 9000)),
    "empty records": lambda sock: _flood(sock, _record(22, b"")),
    "endless alerts": lambda sock: _flood(sock, _record(21, b"\x01\x5a")),
    "endless requests": lambda sock: _flood(sock, _record(22, b"\x00\x00\x00\x00")),
    "a handshake of 16 MB": lambda sock: _flood(sock, _record(22, b"\x0b\xff\xff\xff" + b"a" * 16000)),
    "a slow handshake": _drip,
    "a reset handshake": _reset,
    "half a handshake": lambda sock: sock.sendall(_record(22, b"\x02\x00\x00\x4c\x03\x03")),
}
AFTER: dict[str, Callable[[int], Any]] = {  # to the descriptor below an open stream
    "no notify": lambda fd: os.write(fd, b""),
    "garbage records": lambda fd: os.write(fd, b"\xff" * 9000),
    "a new handshake": lambda fd: os.write(fd, _record(22, b"\x00\x00\x00\x00") * 100),
    "forged records": lambda fd: os.write(fd, _record(23, b"a" * 9000)),
    "a bare alert": lambda fd: os.write(fd, _record(21, b"\x02\x28")),
}
BIG_CERTIFICATE = "a certificate of 1 MB"
TLS_WAYS = (*HANDSHAKES, *AFTER, BIG_CERTIFICATE)


def made_certificate(folder: Path, names_bytes: int = 10) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 with about so many bytes of names, and its key."""
    certificate, key, config = folder / f"{names_bytes}.pem", folder / f"{names_bytes}.key", folder / "openssl.cnf"
    config.write_text(
        "[req]\ndistinguished_name = d\nx509_extensions = e\nprompt = no\n[d]\nCN = test\n"
        "[e]\nsubjectAltName = IP:127.0.0.1"
        + "".join(f",DNS:{n}.{'a' * 50}.test" for n in range(names_bytes // 60))
        + "\n"
    )
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-config", str(config), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


class HostileServer(FaultyServer):
    """Answers well, but for the routes in `where`, which it answers in this way."""

    def __init__(self, way: str, where: str, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__()
        self.way, self._where = way, where
        self._turns = itertools.cycle(WAYS.values())
        self.context: ssl.SSLContext | None = None
        if certificate is not None:
            self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self.context.load_cert_chain(*certificate)

    @property
    def base_url(self) -> str:
        """Whom to drive."""
        return f"{'http' if self.context is None else 'https'}://127.0.0.1:{self.port}/ok"

    def finish_request(self, request: Any, client_address: Any) -> None:
        """A connection, in its own thread."""
        with contextlib.suppress(OSError, ValueError):
            if self.way in HANDSHAKES:
                HANDSHAKES[self.way](request)
            elif self.context is None:
                super().finish_request(request, client_address)
            else:
                self._over_tls(request, client_address)

    def _over_tls(self, request: socket.socket, client_address: Any) -> None:
        below = os.dup(request.fileno())
        try:
            assert self.context is not None
            with self.context.wrap_socket(request, server_side=True) as sock:
                sock.below = below  # type: ignore[attr-defined]
                super().finish_request(sock, client_address)
        finally:
            os.close(below)

    def answer(self, exchange: Exchange) -> None:
        """A request."""
        is_here = self._where in exchange.path or (self._where == "completions" and exchange.method == "POST")
        if not is_here or (self._where == "completions" and exchange.path.endswith("tokenize")):
            super().answer(exchange)
            return
        with self._lock:
            self.requests.append(exchange)
            way = next(self._turns) if self.way == ALTERNATING else WAYS.get(self.way)
        with contextlib.suppress(OSError):
            if way is not None:
                way(exchange)
            elif self.way in AFTER:
                _breaks(exchange, AFTER[self.way])
            else:
                good(exchange)


def _breaks(x: Exchange, what: Callable[[int], Any]) -> None:
    """A stream over TLS that goes on below it, and ends without a word."""
    x.keeps_alive = False
    x.sock.sendall(CHUNKED + b"%x\r\n%b\r\n" % (len(TOKEN), TOKEN))
    below = x.sock.below  # type: ignore[attr-defined]
    what(below)
    with socket.socket(fileno=os.dup(below)) as raw:
        raw.shutdown(socket.SHUT_RDWR)
