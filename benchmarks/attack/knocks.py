"""What a stranger may do at the port where a run awaits its workers, without its token."""

import contextlib
import os
import random
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gevent
import msgpack
import zmq.green as zmq
from odd import OTHER_TOKEN, WHO

from harness.base.token import TOKEN_ENV
from harness.load.remote import messages
from harness.load.remote.channel import connect_to


@dataclass(frozen=True)
class Port:
    """Where to knock, and by what chance."""

    host: str
    number: int
    chance: random.Random
    kept: list[Any]  # open for as long as this goes on

    def tcp(self, data: bytes = b"", *, stays: bool = False) -> None:
        """A connection that says this and hears the answer; one that stays is left open."""
        with contextlib.suppress(OSError):
            sock = socket.create_connection((self.host, self.number), 1)
            sock.settimeout(0.3)
            self.kept.append(sock)
            sock.sendall(data)
            if not stays:
                with contextlib.suppress(OSError):
                    sock.recv(4096)
                self.kept.remove(sock)
                sock.close()
        if len(self.kept) > 300:
            self.kept.pop(0).close()


def greeting(mechanism: bytes, *, as_server: bool = False) -> bytes:
    """ZMTP 3.1's first 64 bytes."""
    signature = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01"
    return signature + mechanism.ljust(20, b"\x00") + bytes([as_server]) + bytes(31)


def frame(body: bytes, flags: int = 4) -> bytes:
    """A ZMTP frame; 4: a command."""
    return bytes([flags, len(body)]) + body


def plain_words(port: Port) -> None:
    """Locust's words and our own, in the clear, over real sockets of ZeroMQ."""
    kind = port.chance.choice((zmq.DEALER, zmq.REQ, zmq.PUSH, zmq.PUB))
    sock = zmq.Context.instance().socket(kind)
    sock.linger = 0
    sock.connect(f"tcp://{port.host}:{port.number}")
    for words in (["client_ready", None, "w"], ["hello", asdict(messages.Hello(WHO))], []):
        with contextlib.suppress(zmq.ZMQError):
            sock.send(msgpack.packb(words), zmq.NOBLOCK)
    gevent.sleep(0.2)
    sock.close()


def other_token(port: Port) -> None:
    """A worker of another run."""
    channel = connect_to(port.host, port.number, OTHER_TOKEN, lambda: None)
    channel.send(messages.Hello(WHO))
    gevent.sleep(0.3)
    channel.close()


def replay(port: Port) -> None:
    """The bytes of a real worker's connection, which somebody in between has kept."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as relay:
        thread = threading.Thread(target=_relayed, args=(relay, (port.host, port.number), heard))
        thread.start()
        channel = connect_to("127.0.0.1", relay.getsockname()[1], os.environ[TOKEN_ENV], lambda: None)
        channel.send(messages.Pong(1, 2))
        gevent.sleep(0.5)
        channel.close()
        thread.join(2)
    for _ in range(3):
        port.tcp(b"".join(heard))
        port.tcp(b"".join(heard)[:-1], stays=True)


def _relayed(relay: Any, there: tuple[str, int], heard: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        near, _ = relay.accept()
        far = socket.create_connection(there, 1)
        back = threading.Thread(target=_copy, args=(far, near, []))
        back.start()
        _copy(near, far, heard)


def _copy(source: socket.socket, to: socket.socket, heard: list[bytes]) -> None:
    with contextlib.suppress(OSError):
        source.settimeout(1.5)
        while data := source.recv(65536):
            heard.append(data)
            to.sendall(data)


TLS_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(160)
READY = frame(b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER")
CURVE_HELLO = frame(b"\x05HELLO\x01\x00" + bytes(192))

WITHOUT: dict[str, Callable[[Port], None]] = {
    "bytes of no meaning": lambda port: port.tcp(port.chance.randbytes(300)),
    "a connection that hangs": lambda port: port.tcp(stays=True),
    "a null greeting": lambda port: port.tcp(greeting(b"NULL") + READY),
    "a plain greeting": lambda port: port.tcp(greeting(b"PLAIN") + frame(b"\x05HELLO\x01u\x01p")),
    "another token": other_token,
    "half a handshake": lambda port: port.tcp(greeting(b"CURVE"), stays=True),
    "half a greeting": lambda port: port.tcp(greeting(b"CURVE")[: port.chance.randrange(1, 64)]),
    "a handshake made up": lambda port: port.tcp(greeting(b"CURVE") + CURVE_HELLO + frame(port.chance.randbytes(200))),
    "a server's greeting": lambda port: port.tcp(greeting(b"CURVE", as_server=True) + frame(b"\x07WELCOME")),
    "a web browser": lambda port: port.tcp(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"),
    "a megabyte of noise": lambda port: port.tcp(port.chance.randbytes(1 << 20)),
    "a frame of 2^63 bytes": lambda port: port.tcp(greeting(b"CURVE") + b"\x06\x7f" + b"\xff" * 7),
    "TLS": lambda port: port.tcp(TLS_HELLO),
    "two hundred connections": lambda port: [port.tcp(stays=True) for _ in range(200 - len(port.kept))] and None,
    "connections that come and go": lambda port: [port.tcp() for _ in range(20)] and None,
    "words in the clear": plain_words,
    "what a worker once said": replay,
}
