"""Who may answer where a worker looks for its run.

python masters.py KIND HOST:PORT SEED     answers, for a minute at most
"""

import os
import random
import socketserver
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import gevent
import msgpack
from gone_bad import MOST_S
from knocks import READY, greeting
from odd import ESCAPE, MESSAGES, OTHER_TOKEN, changed

from harness.base.token import TOKEN_ENV
from harness.load.lines import encode, name_of
from harness.load.plan import LoadPlan
from harness.load.protocol import Begin
from harness.load.remote import messages
from harness.load.remote.channel import Channel, listen_at

PLAN = LoadPlan(
    run_dir="../../precious", run_id="i", salt="s", scenario={"load": {"kind": "closed"}, "prompts": {}}, base_dir="/",
    urls=["http://127.0.0.1:9/"], backend="openai", model=None, started_monotonic_ns=0, api_key_env="HOME",
    ca_file="/etc/passwd",
)  # fmt: skip

Answer = Callable[[Any, random.Random], None]
RAW: dict[str, Answer] = {
    "a master that says nothing": lambda sock, _: sock.recv(1 << 20) and time.sleep(MOST_S),
    "a master that hangs up": lambda _sock, _chance: None,
    "a web server": lambda sock, _: sock.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
    "a master of another kind": lambda sock, _: sock.sendall(greeting(b"NULL", as_server=True) + READY),
    "a master that is noise": lambda sock, chance: sock.sendall(chance.randbytes(1 << 20)),
}


def serve_raw(host: str, port: int, chance: random.Random, answer: Answer) -> None:
    """The same answer to everybody."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer(self.request, chance)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server((host, port), Handler) as server:
        server.serve_forever()


_ENDS = (messages.Kill, messages.Bye, messages.Refused, messages.Say)  # a master may say so at any time
_NAMES = ("../../../x", "/etc/x", ESCAPE, "x" * 100_000, "0-a", "run")


def _odd(chance: random.Random) -> messages.Message | bytes:
    """What a master with the token should not say."""
    match chance.randrange(4):
        case 0:
            one = chance.choice([one for one in MESSAGES if not isinstance(one, _ENDS)])
            return bytes(msgpack.packb([name_of(type(one)), changed(asdict(one), chance)]))
        case 1:
            return messages.Welcome(chance.choice((0, -1, 2**62)), chance.choice(_NAMES))
        case 2:
            return messages.Part(chance.choice(_NAMES), chance.choice((0, 5, 2**62)), b"x")
        case _:
            return chance.randbytes(50)


def serve_with_token(host: str, port: int, chance: random.Random) -> None:
    """Says what it should not to whoever says hello, then a plan that it should not have; says whether it was heard."""
    heard: list[tuple[bytes, messages.Message]] = []
    channel: Channel = listen_at(host, port, os.environ[TOKEN_ENV])
    channel.listen(lambda agent, message: heard.append((agent, message)))
    while not heard:
        gevent.sleep(0.05)
    agent = heard[0][0]
    for _ in range(200):
        one = _odd(chance)
        if isinstance(one, bytes):
            channel._socket.send_multipart([agent, one])
        else:
            channel.send(one, agent)
        gevent.sleep(0.005)
    channel.send(messages.Ping(77), agent)
    channel.send(messages.Say(encode(Begin(PLAN)).rstrip(b"\n")), agent)
    gevent.sleep(2.0)
    pongs = [one for _, one in heard if isinstance(one, messages.Pong) and one.sent_ns == 77]
    print(f"answers still: {bool(pongs)}", flush=True)
    channel.send(messages.Bye(), agent)
    channel.send(messages.Kill(), agent)
    gevent.sleep(1.0)
    channel.close()


WITH_TOKEN = "a master with the token, gone bad"
OTHER = "a master of another run"
MASTERS = (*RAW, OTHER, WITH_TOKEN)


def main() -> None:
    """Be one of them."""
    kind, address, seed = sys.argv[1:]
    host, _, port = address.partition(":")
    if kind in RAW:
        serve_raw(host, int(port), random.Random(int(seed)), RAW[kind])
    elif kind == WITH_TOKEN:
        serve_with_token(host, int(port), random.Random(int(seed)))
    else:
        listen_at(host, int(port), OTHER_TOKEN).listen(lambda _, __: None)
        gevent.sleep(MOST_S)


if __name__ == "__main__":
    main()
