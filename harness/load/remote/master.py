"""The process that the agents of other machines connect to: `python -m harness.load.remote.master`.

Its first line on standard input says where to listen and which of its file descriptors are links, one for each
worker that is awaited. A link carries the lines of one worker, as the pipes of a load process here would; it ends
when the worker has. The process ends when its links have, or when its parent is gone.
"""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment

from harness import __version__
from harness.load.protocol import Begin, End, Event, Failed, Joined, Left, Malformed, Who, command_of, encode
from harness.load.remote.courier import Courier, NotTaken, take_part
from harness.load.remote.messages import (
    Bye,
    Got,
    Hello,
    Kill,
    MasterOrders,
    Message,
    Over,
    Part,
    Ping,
    Pong,
    Refused,
    Said,
    Say,
    Welcome,
    listen,
    master_orders,
    send,
)
from harness.load.remote.offset import Echo, Relation

PINGS = 20  # before a worker counts as here
PING_S = 1.0  # afterwards
ECHO_S = 2.0
LOST_S = 10.0  # without a word from an agent
LINGER_S = 0.5  # for the last messages to leave
_FILES = re.compile(r"(records|client|texts|tokens|arrivals|server_metrics)-(\d+)\.jsonl")


class Link:
    """One awaited worker: its lines to and from the parent, and what is known of its agent."""

    def __init__(self, worker: int, sock: socket.socket) -> None:
        self.worker = worker
        self.agent: str | None = None  # Locust's id of the agent that took this place
        self.relation = Relation()
        self.heard = time.monotonic()
        self.is_open = True
        self._sock = sock

    def tell(self, event: Event) -> None:
        """A line to the parent."""
        self.pass_on(encode(event))

    def pass_on(self, line: bytes) -> None:
        """A line of the worker's, as it is."""
        if self.is_open:
            self._sock.sendall(line)

    def lines(self) -> Iterator[bytes]:
        """What the parent says to this worker, line by line."""
        pending = b""
        while data := self._sock.recv(65536):
            *lines, pending = (pending + data).split(b"\n")
            yield from lines

    def close(self, how: str) -> None:
        """The worker is no more."""
        if not self.is_open:
            return
        with contextlib.suppress(OSError):  # the parent may be gone, too
            self.tell(Left(how, self.relation.facts()))
            self._sock.shutdown(socket.SHUT_WR)
        self.is_open = False


class Master:
    """Locust's master with our messages."""

    def __init__(self, orders: MasterOrders) -> None:
        self._run_dir = Path(orders.run_dir)
        self._run_name = self._run_dir.name
        self._links = [Link(number, socket.socket(fileno=descriptor)) for number, descriptor in orders.links]
        self._runner = Environment().create_master_runner(orders.host, orders.port)
        self._couriers: dict[str, Courier] = {}
        of_a_link: dict[type[Message], Callable[[Link, Any], None]] = {
            Pong: self._on_pong,
            Said: self._on_said,
            Over: self._on_over,
            Part: self._on_part,
            Got: self._on_got,
        }
        handlers = {kind: self._by_link(handler) for kind, handler in of_a_link.items()}
        listen(self._runner, {Hello: self._on_hello, **handlers})

    def run(self) -> None:
        """Until every link has ended."""
        for link in self._links:
            gevent.spawn(self._listen, link)
        while any(link.is_open for link in self._links):
            gevent.sleep(0.1)
            for link in self._links:
                silent_s = time.monotonic() - link.heard
                if link.agent is not None and link.is_open and silent_s > LOST_S:
                    link.close(f"no sign of life for {LOST_S:g} s")
        gevent.sleep(LINGER_S)

    def _send(self, agent: str, message: Message) -> None:
        send(self._runner, message, agent)

    def _by_link(self, handler: Callable[[Link, Any], None]) -> Callable[[str, Any], None]:
        """The handler, called with the link of the agent that speaks; one whose link has ended is told to stop."""

        def handle(agent: str, message: Message) -> None:
            for link in self._links:
                if link.agent == agent and link.is_open:
                    link.heard = time.monotonic()
                    handler(link, message)
                    return
            if any(link.agent == agent for link in self._links):
                self._send(agent, Kill())

        return handle

    def _on_hello(self, agent: str, hello: Hello) -> None:
        if hello.who.version != __version__:
            text = f"the master runs breakeven {__version__}, this worker {hello.who.version}"
            self._send(agent, Refused(text, is_final=True))
            return
        free = next((link for link in self._links if link.agent is None), None)
        if free is None:
            self._send(agent, Refused("the run has all its workers", is_final=False))
            return
        free.agent, free.heard = agent, time.monotonic()
        self._couriers[agent] = Courier(lambda part: self._send(agent, part))
        self._send(agent, Welcome(free.worker, self._run_name))
        gevent.spawn(self._relate_clocks, free, hello.who)

    def _relate_clocks(self, link: Link, who: Who) -> None:
        assert link.agent is not None
        for n in range(PINGS):
            self._send(link.agent, Ping(time.monotonic_ns()))
            with gevent.Timeout(ECHO_S, False):
                while link.relation.echoes <= n:
                    gevent.sleep(0.001)
        if link.relation.best is None:
            link.close("it does not answer")
            return
        link.tell(Joined(who, link.relation.facts()))
        while link.is_open:
            gevent.sleep(PING_S)
            self._send(link.agent, Ping(time.monotonic_ns()))

    def _on_pong(self, link: Link, pong: Pong) -> None:
        link.relation.add(Echo(pong.sent_ns, pong.seen_ns, time.monotonic_ns()))

    def _listen(self, link: Link) -> None:
        """Lines from the parent: the plan, then commands; the end of them ends the worker."""
        has_plan = False
        try:
            for line in link.lines():
                try:
                    command = command_of(line)
                except Malformed as error:
                    print(f"no command: {error}", file=sys.stderr, flush=True)
                    continue
                if isinstance(command, Begin):
                    self._send_plan(link, command)
                    has_plan = True
                elif has_plan and link.agent is not None:
                    self._send(link.agent, Say(line))
                elif isinstance(command, End):  # before there was anything to do
                    break
        except (OSError, NotTaken) as error:
            link.close(f"{type(error).__name__}: {error}")
        if link.agent is not None:
            self._send(link.agent, Kill())
        link.close("told to end")

    def _send_plan(self, link: Link, begin: Begin) -> None:
        """The plan, on the worker's own clock, after the files that it names."""
        assert link.agent is not None
        for name, path in begin.attached.items():
            self._couriers[link.agent].ship(name, Path(path))
        started_ns = begin.plan.started_monotonic_ns - link.relation.fix()
        plan = replace(begin.plan, started_monotonic_ns=started_ns)
        self._send(link.agent, Say(encode(replace(begin, plan=plan)).rstrip(b"\n")))

    def _on_said(self, link: Link, said: Said) -> None:
        link.pass_on(said.line + b"\n")

    def _on_part(self, link: Link, part: Part) -> None:
        named = _FILES.fullmatch(part.name)
        if named is None or link.agent is None:
            return
        path = self._run_dir / f"{named[1]}-w{link.worker}-{named[2]}.jsonl"
        try:
            self._send(link.agent, take_part(path, part))
        except OSError as error:
            text = f"cannot write to {self._run_dir}: {error.strerror}"
            hint = "free some space, or name another place with --out DIR; the worker keeps its rows"
            link.tell(Failed(text, 1, hint=hint))

    def _on_got(self, link: Link, got: Got) -> None:
        assert link.agent is not None
        self._couriers[link.agent].got(got)

    def _on_over(self, link: Link, over: Over) -> None:
        assert link.agent is not None
        self._send(link.agent, Bye())
        if over.log:
            print(over.log, file=sys.stderr, flush=True)
        link.close(over.how)


def main() -> int:
    """Read the orders, serve, end."""
    logging.getLogger("locust").setLevel(logging.CRITICAL)  # who is here and who is not is said by us
    Master(master_orders()).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
