"""What somebody with the token may do: one who was never taken on, and a worker that goes bad."""

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

import gevent
import msgpack
import zmq.green as zmq
from knocks import Port
from odd import ESCAPE, EVENTS, MESSAGES, WHO, changed, damaged

from harness import __version__
from harness.base.token import TOKEN_ENV
from harness.load.lines import encode, name_of
from harness.load.plan import Learned
from harness.load.protocol import (
    Begin,
    ClockFacts,
    CutStep,
    Doing,
    Done,
    End,
    Failed,
    Finish,
    Held,
    Idle,
    Joined,
    Left,
    Prepared,
    Ready,
    Rest,
    RunSteps,
    Unfit,
    Warned,
    Who,
    command_of,
)
from harness.load.remote import messages
from harness.load.remote.channel import Channel, connect_to

MOST_S = 60.0


def sends(make: Callable[[random.Random], bytes | list[bytes]], times: int = 20) -> Callable[[Port], None]:
    """With the token, such messages of somebody who was never taken on."""

    def act(port: Port) -> None:
        channel = connect_to(port.host, port.number, os.environ[TOKEN_ENV], lambda: None)
        for _ in range(times):
            made = make(port.chance)
            channel._socket.send_multipart(made if isinstance(made, list) else [made])
        gevent.sleep(0.2)
        channel.close()

    return act


def hellos(port: Port) -> None:
    """Workers of the same name, of other versions, of strange machines; all places are taken."""
    for who in (WHO, WHO, Who("0.0.1", ESCAPE, -5, "", {}), Who(__version__, "x" * 100_000, 2**62, ESCAPE, {"a": []})):
        channel = connect_to(port.host, port.number, os.environ[TOKEN_ENV], lambda: None)
        channel.send(messages.Hello(who))
        gevent.sleep(0.1)
        channel.close()


def _packed(message: messages.Message) -> bytes:
    packed: bytes = msgpack.packb([name_of(type(message)), asdict(message)])
    return packed


NO_MSGPACK = (b"", b"\xff", b"\xc1" * 40, b"\x92" * 2000, b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff")
OUTSIDE: dict[str, Callable[[Port], None]] = {
    "messages that are none": sends(lambda chance: chance.choice((*NO_MSGPACK, chance.randbytes(60)))),
    "messages with other values": sends(damaged, 50),
    "ten megabytes": sends(lambda _: bytes(10 << 20), 2),
    "many parts": sends(lambda chance: [b"", *(damaged(chance) for _ in range(5)), b""]),
    "no hello before": sends(lambda chance: _packed(chance.choice(MESSAGES[1:]))),
    "rows of nobody": sends(lambda _: _packed(messages.Part("../../run.json", 0, b"x" * 100_000))),
    "more workers than places": hellos,
}


# ---- a worker that was taken on and goes bad


class Worker:
    """Takes a place, does as it is told without a request, and has `turn` called as long as the load is on."""

    def __init__(self, port: Port, turn: Callable[["Worker"], None]) -> None:
        self.port, self.chance = port, port.chance
        self._turn = turn
        self._is_on = self._is_over = False
        self.begin()

    def begin(self) -> None:
        """Say hello, as somebody new."""
        self.channel: Channel = connect_to(self.port.host, self.port.number, os.environ[TOKEN_ENV], lambda: None)
        self.channel.listen(self._take)
        self.channel.send(messages.Hello(WHO))

    def run(self) -> None:
        """Until the run lets it go."""
        until_s = time.monotonic() + MOST_S
        while not self._is_over and time.monotonic() < until_s:
            gevent.sleep(0.1)
            if self._is_on:
                self._turn(self)
        self.channel.close()

    def say(self, line: bytes) -> None:
        """A line, as of its load process."""
        with contextlib.suppress(zmq.ZMQError):  # it has vanished
            self.channel.send(messages.Say(line.rstrip(b"\n")))

    def _take(self, _master: bytes, message: messages.Message) -> None:
        match message:
            case messages.Ping(sent_ns):
                self.channel.send(messages.Pong(sent_ns, time.monotonic_ns()))
            case messages.Part(name, at, data):
                self.channel.send(messages.Got(name, at + len(data)))
            case messages.Say(line):
                self._told(line)
            case messages.Kill() | messages.Bye():
                self._is_over = True

    def _told(self, line: bytes) -> None:
        match command_of(line):
            case Begin():
                self.say(encode(Ready()))
            case RunSteps(steps, _, order):
                self._is_on = True
                gevent.spawn_later(sum(step.length_s for step in steps) + 0.6, self.say, encode(Held(order)))
            case Rest() | CutStep():
                gevent.spawn_later(0.1, self.say, encode(Idle(10**6)))
            case Finish() | End():
                self.say(encode(Done(False)))
                self.channel.send(messages.Over("exit code 0", ""))


def odd_events(worker: Worker) -> None:
    """Events of every type with other values, as JSON and as Python's own JSON, which knows NaN."""
    for _ in range(20):
        one = worker.chance.choice(EVENTS)
        values = {field.name: getattr(one, field.name) for field in fields(one)}
        text = json.dumps(changed(values, worker.chance), default=_plain)
        worker.say(f"{name_of(type(one))} {text}".encode())


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)


def odd_messages(worker: Worker) -> None:
    """Messages of every type with other values; but none that says that it has ended."""
    for _ in range(10):
        packed = damaged(worker.chance)
        if b"over" not in packed:
            worker.channel._socket.send(packed)


def odd_lines(worker: Worker) -> None:
    """Lines in lines, endless lines, lines of no meaning."""
    for line in (
        b"alive {}\nalive {}\n\nnothing",
        b"x" * 3_000_000,
        worker.chance.randbytes(200),
        b"live " + b"[" * 9999,
    ):
        worker.say(line)


def odd_rows(worker: Worker) -> None:
    """Pieces of files that nobody has, that overlap, that come twice, of names that are none."""
    for name in (
        "records-7.jsonl",
        "../x.jsonl",
        "run.json",
        "records-7.jsonl/../../x",
        "steps.jsonl",
        "texts-x.jsonl",
    ):
        for at in (0, 0, 1, 10**12, -1):
            worker.channel.send(messages.Part(name, at, b"" if name.startswith("records-7.jsonl") else b"{}\n"))
    worker.channel.send(messages.Got("0-x", -5))


def rows_of_no_meaning(worker: Worker) -> None:
    """Rows that are none."""
    for name in ("records-7.jsonl", "client-7.jsonl"):
        worker.channel.send(messages.Part(name, 0, b'{"request_id": 5}\nnot JSON\n[]\n{"t_s": NaN}\n\xff\xfe\n'))


def odd_clock(worker: Worker) -> None:
    """Echoes of pings that nobody sent, from before and after all time."""
    for sent_ns, seen_ns in ((0, 0), (2**63, -(2**63)), (-1, 2**62), (time.monotonic_ns(), 2**63)):
        worker.channel.send(messages.Pong(sent_ns, seen_ns))


def odd_machine(worker: Worker) -> None:
    """It says of its machine, and of the clock, what cannot be; and twice that it is gone."""
    odd: tuple[Any, ...] = (ESCAPE, -5, 1e30, "", {"a": [ESCAPE, None]}, {"figures": {"p99": -1e300}}, 2**62, None)
    chance = worker.chance
    who = Who(__version__, ESCAPE * 500, chance.choice((-1, 2**62)), ESCAPE, {str(n): one for n, one in enumerate(odd)})
    clock = ClockFacts(*(chance.choice((1e300, -1.0, 0.0, None)) for _ in range(3)), echoes=-7)
    worker.say(encode(Joined(who, clock)))
    worker.say(encode(Left(ESCAPE, clock)))
    worker.say(encode(Unfit(ESCAPE, ESCAPE)))
    worker.say(encode(Prepared(Learned(ESCAPE, None, "/etc/passwd", [], -1, False))))


def comes_back(worker: Worker) -> None:
    """Vanishes without a word, and comes again as somebody new."""
    worker.channel.close()
    gevent.sleep(1.0)
    worker.begin()


def fails(worker: Worker) -> None:
    """It says that it cannot go on, in letters that a terminal obeys."""
    worker.say(encode(Doing(f"busy {ESCAPE}")))
    worker.say(encode(Warned(ESCAPE)))
    worker.say(encode(Failed(f"no {ESCAPE}", 1, hint=ESCAPE, detail=f"{ESCAPE}\n{ESCAPE}")))


BAD: dict[str, Callable[[Worker], None]] = {
    "events with other values": odd_events,
    "a worker's messages with other values": odd_messages,
    "lines of no meaning": odd_lines,
    "files that are none": odd_rows,
    "rows that are none": rows_of_no_meaning,
    "a clock of no meaning": odd_clock,
    "a machine of no meaning": odd_machine,
    "a worker that vanishes and comes back": comes_back,
    "a worker that fails, in letters that a terminal obeys": fails,
}
