"""The process that the agents of other machines connect to: `python -m harness.load.remote.master`.

Its first line on standard input says where to listen and which of its file descriptors are links, one for each
worker that is awaited. A link carries the lines of one worker, as the pipes of a load process here would; it ends
when the worker has. The process ends when its links have, or when its parent is gone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gevent
import gevent.socket

from harness import __version__
from harness.base.text import printable
from harness.load.lines import Malformed, encode
from harness.load.protocol import Begin, End, Event, Failed, Joined, Left, Warned, Who, command_of
from harness.load.remote import messages
from harness.load.remote.channel import Channel, listen_at
from harness.load.remote.courier import Courier, NotTaken
from harness.load.remote.offset import Echo, Relation
from harness.load.remote.rows import KINDS, RowFile

PINGS = 20  # before a worker counts as here
PING_S = 1.0  # afterwards
ECHO_S = 2.0
LOST_S = 10.0  # without a word from an agent
MOST_SHOWN = 2000  # characters of a line that an agent's load process printed
_FILES = re.compile(rf"({'|'.join(KINDS)})-([0-9]{{1,20}})\.jsonl")


class Link:
    """One awaited worker: its lines to and from the parent, and what is known of its agent."""

    def __init__(self, channel: Channel, worker: int, sock: socket.socket) -> None:
        self.worker = worker
        self.agent: bytes | None = None  # the channel's id of the agent that took this place
        self.relation = Relation()
        self.courier = Courier(self.send)
        self.files: dict[str, RowFile] = {}  # that its agent sends, by name
        self.heard = time.monotonic()
        self.is_open = True
        self._channel = channel
        self._sock = sock

    def send(self, message: messages.Message) -> None:
        """To its agent, if it has one."""
        if self.agent is not None:
            self._channel.send(message, self.agent)

    def tell(self, event: Event) -> None:
        """A line to the parent."""
        self.pass_on(encode(event))

    def pass_on(self, line: bytes) -> None:
        """A line of the worker's, as it is."""
        if self.is_open:
            self._sock.sendall(line)

    def lines(self) -> Iterator[bytes]:
        """What the parent says to this worker, line by line."""
        with self._sock.makefile("rb") as lines:
            for line in lines:
                yield line.rstrip(b"\n")

    def close(self, how: str) -> None:
        """The worker is no more."""
        if not self.is_open:
            return
        with contextlib.suppress(OSError):  # the parent may be gone, too
            self.tell(Left(how, self.relation.facts()))
            self._sock.shutdown(socket.SHUT_WR)
        self.is_open = False


class Master:
    """The run's side of the lines to its agents."""

    def __init__(self, orders: messages.MasterOrders) -> None:
        self._run_dir = Path(orders.run_dir)
        self._channel = listen_at(orders.host, orders.port, orders.token)
        self._links = [
            Link(self._channel, worker, gevent.socket.socket(fileno=there))  # type: ignore[attr-defined]  # at import
            for worker, there in orders.links
        ]
        self._channel.listen(self._take)

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
        self._channel.close()

    def _take(self, agent: bytes, message: messages.Message) -> None:
        """What an agent says; one whose link has ended is told to stop."""
        link = next((link for link in self._links if link.agent == agent), None)
        if isinstance(message, messages.Hello):
            self._on_hello(agent, message.who)
        elif link is not None and not link.is_open:
            link.send(messages.Kill())
        elif link is not None:
            link.heard = time.monotonic()
            self._of_link(link, message)

    def _of_link(self, link: Link, message: messages.Message) -> None:
        match message:
            case messages.Pong(sent_ns, seen_ns):
                link.relation.add(Echo(sent_ns, seen_ns, time.monotonic_ns()))
            case messages.Say(line):
                link.pass_on(line + b"\n")
            case messages.Part():
                self._keep_rows(link, message)
            case messages.Got():
                link.courier.got(message)
            case messages.Over(how, log):
                link.send(messages.Bye())
                for text in log.splitlines():
                    print(printable(text, MOST_SHOWN), file=sys.stderr, flush=True)
                link.close(how)

    def _on_hello(self, agent: bytes, who: Who) -> None:
        if any(link.agent == agent for link in self._links):
            return  # it asks again until it is answered
        free = next((link for link in self._links if link.agent is None), None)
        if who.version != __version__:
            text = f"the master runs breakeven {__version__}, this worker {who.version}"
            self._channel.send(messages.Refused(text, is_final=True), agent)
        elif free is None:
            self._channel.send(messages.Refused("the run has all its workers", is_final=False), agent)
        else:
            free.agent, free.heard = agent, time.monotonic()
            free.send(messages.Welcome(free.worker, self._run_dir.name))
            gevent.spawn(self._relate_clocks, free, who)

    def _relate_clocks(self, link: Link, who: Who) -> None:
        for n in range(PINGS):
            link.send(messages.Ping(time.monotonic_ns()))
            with gevent.Timeout(ECHO_S, False):
                while link.relation.echoes <= n:
                    gevent.sleep(0.001)
        if link.relation.best is None:
            link.close("it does not answer")
            return
        link.tell(Joined(who, link.relation.facts()))
        while link.is_open:
            gevent.sleep(PING_S)
            link.send(messages.Ping(time.monotonic_ns()))

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
                elif has_plan:
                    link.send(messages.Say(line))
                elif isinstance(command, End):  # before there was anything to do
                    break
        except (OSError, NotTaken) as error:
            link.close(f"{type(error).__name__}: {error}")
        link.send(messages.Kill())
        link.close("told to end")

    def _send_plan(self, link: Link, begin: Begin) -> None:
        """The plan, on the worker's own clock, after the files that it names."""
        for name, path in begin.attached.items():
            link.courier.ship(name, Path(path))
        started_ns = begin.plan.started_monotonic_ns - link.relation.fix()
        plan = replace(begin.plan, started_monotonic_ns=started_ns)
        link.send(messages.Say(encode(replace(begin, plan=plan)).rstrip(b"\n")))

    def _keep_rows(self, link: Link, part: messages.Part) -> None:
        named = _FILES.fullmatch(part.name)
        if named is None:
            return
        path = self._run_dir / f"{named[1]}-w{link.worker}-{named[2]}.jsonl"
        file = link.files.setdefault(part.name, RowFile(path, named[1]))
        was_whole = file.damaged is None
        try:
            link.send(file.take(part))
        except OSError as error:
            text = f"cannot write to {self._run_dir}: {error.strerror}"
            hint = "free some space, or name another place with --out DIR; the worker keeps its rows"
            link.tell(Failed(text, 1, hint=hint))
        if was_whole and file.damaged is not None:
            link.tell(Warned(f"worker {link.worker + 1} sent what is no row of {named[1]}: {file.damaged}"))


def main() -> int:
    """Read the orders, serve, end."""
    Master(messages.orders(messages.MasterOrders)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
