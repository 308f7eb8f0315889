"""The line between a run's master and the agents of other machines: ZeroMQ, encrypted by CurveZMQ, keys from a token.

Both ends make both key pairs from the token that they share. A peer without it cannot build the first message that the
master's library reads, nor answer an agent's: nothing of a stranger's ever reaches this module, and nobody in between
reads along. (Locust's own protocol has neither; one damaged packet ends its listener.)
"""

import hashlib
import secrets
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, get_args

import gevent
import gevent.lock
import msgpack
import zmq.green as zmq
from pydantic import TypeAdapter, ValidationError
from zmq.utils.monitor import parse_monitor_message
from zmq.utils.z85 import encode as z85

from harness.load.lines import Malformed, check_numbers, name_of
from harness.load.remote.messages import Message

MOST_BYTES = 4 << 20  # of a message; a piece of a file has 256 KiB
LINGER_MS = 500  # for the last messages to leave
_FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
_KINDS: dict[str, TypeAdapter[Message]] = {name_of(kind): TypeAdapter(kind) for kind in get_args(Message)}

Handler = Callable[[bytes, Message], None]


class Channel:
    """One end. A master's `to` and `sender` are the ids of its agents; an agent knows its master alone."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._sending = gevent.lock.RLock()
        self._listener: gevent.Greenlet | None = None

    def send(self, message: Message, to: bytes | None = None) -> None:
        """In order; to nobody where the peer has gone."""
        packed = msgpack.packb([name_of(type(message)), asdict(message)])
        with self._sending:  # parts of one message stay together
            self._socket.send_multipart([packed] if to is None else [to, packed])

    def listen(self, handler: Handler) -> None:
        """Hand on each message from now on. One that is none, or that the handler trips over, costs only itself."""
        self._listener = gevent.spawn(self._listen, handler)

    def _listen(self, handler: Handler) -> None:
        while True:
            *sender, packed = self._socket.recv_multipart()
            try:
                handler(sender[0] if sender else b"", message_in(packed))
            except Malformed as error:
                print(f"no message: {error}", file=sys.stderr, flush=True)
            except Exception:
                traceback.print_exc()

    def close(self) -> None:
        """After what was sent has left, or half a second."""
        if self._listener is not None:
            self._listener.kill()
        self._socket.close(linger=LINGER_MS)


def message_in(packed: bytes) -> Message:
    """A message as it came.

    Raises:
        Malformed: it is none.
    """
    try:
        name, fields = msgpack.unpackb(packed)  # type: ignore[attr-defined]  # made at import
        check_numbers(fields)
        return _KINDS[name].validate_python(fields)
    except ValidationError as error:
        raise Malformed(f"{error.errors()[0]['msg']}: {packed[:40]!r}") from None
    except (msgpack.UnpackException, ValueError, TypeError, KeyError):
        raise Malformed(f"{packed[:40]!r}") from None


def _secret(role: str, token: str) -> bytes:
    return z85(hashlib.sha256(f"breakeven {role} {token}".encode()).digest())


def _socket(kind: int, token: str, role: str) -> Any:
    socket: Any = zmq.Context.instance().socket(kind)
    socket.maxmsgsize = MOST_BYTES
    socket.tcp_keepalive, socket.tcp_keepalive_idle = 1, 30
    own = _secret(role, token)
    socket.curve_secretkey, socket.curve_publickey = own, zmq.curve_public(own)
    return socket


def listen_at(host: str, port: int, token: str) -> Channel:
    """The master's end.

    Raises:
        zmq.ZMQError: the address is taken, or not ours.
    """
    socket = _socket(zmq.ROUTER, token, "master")
    socket.curve_server = True
    socket.bind(f"tcp://{host}:{port}")
    return Channel(socket)


def connect_to(host: str, port: int, token: str, on_stranger: Callable[[], None]) -> Channel:
    """An agent's end; it connects when somebody is there. `on_stranger`: who is there has another token, or is no run.

    The library tries a stranger of another protocol only once, so waiting for somebody else is no use.
    """
    socket = _socket(zmq.DEALER, token, "worker")
    socket.curve_serverkey = zmq.curve_public(_secret("master", token))
    socket.identity = secrets.token_hex(8).encode()
    monitor = socket.get_monitor_socket(_FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
    gevent.spawn(_watch, monitor, on_stranger)
    socket.connect(f"tcp://{host}:{port}")
    return Channel(socket)


def _watch(monitor: Any, on_stranger: Callable[[], None]) -> None:
    is_ours = False
    while True:
        event = parse_monitor_message(monitor.recv_multipart())["event"]
        is_ours = is_ours or event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        if event & _FAILED or (event == zmq.EVENT_DISCONNECTED and not is_ours):
            on_stranger()
