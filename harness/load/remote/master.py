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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import orjson
from locust.env import Environment

from harness import __version__
from harness.load.remote.courier import Courier, NotTaken, take_part
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

    def tell(self, event: str, **facts: Any) -> None:
        """A line to the parent."""
        self.pass_on(orjson.dumps({"event": event, **facts}, option=orjson.OPT_APPEND_NEWLINE))

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
            self.tell("exit", how=how, clock=self.relation.facts())
            self._sock.shutdown(socket.SHUT_WR)
        self.is_open = False


class Master:
    """Locust's master with our messages."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._run_dir = Path(orders["run_dir"])
        self._run_name = self._run_dir.name
        self._links = [
            Link(number, socket.socket(fileno=descriptor)) for number, descriptor in orders["links"]
        ]
        self._runner = Environment().create_master_runner(orders["host"], orders["port"])
        self._couriers: dict[str, Courier] = {}
        for name in ("hello", "echo", "said", "over", "part", "got"):
            self._runner.register_message(name, getattr(self, f"_on_{name}"))

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

    def _send(self, agent: str, kind: str, **data: Any) -> None:
        self._runner.send_message(kind, data, agent)

    def _link_of(self, msg: Any) -> Link | None:
        """The link of the agent that speaks; one whose link has ended is told to stop."""
        for link in self._links:
            if link.agent == msg.node_id and link.is_open:
                link.heard = time.monotonic()
                return link
        if any(link.agent == msg.node_id for link in self._links):
            self._send(msg.node_id, "kill")
        return None

    def _on_hello(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        said = msg.data
        if said["version"] != __version__:
            text = f"the master runs breakeven {__version__}, this worker {said['version']}"
            self._send(msg.node_id, "refused", text=text, is_final=True)
            return
        free = next((link for link in self._links if link.agent is None), None)
        if free is None:
            self._send(msg.node_id, "refused", text="the run has all its workers", is_final=False)
            return
        free.agent, free.heard = msg.node_id, time.monotonic()
        self._couriers[msg.node_id] = Courier(lambda kind, data: self._send(msg.node_id, kind, **data))
        self._send(msg.node_id, "welcome", worker=free.worker, run=self._run_name)
        gevent.spawn(self._relate_clocks, free, said)

    def _relate_clocks(self, link: Link, said: dict[str, Any]) -> None:
        assert link.agent is not None
        for n in range(PINGS):
            self._send(link.agent, "ping", sent_ns=time.monotonic_ns())
            with gevent.Timeout(ECHO_S, False):
                while link.relation.echoes <= n:
                    gevent.sleep(0.001)
        if link.relation.best is None:
            link.close("it does not answer")
            return
        link.tell("joined", clock=link.relation.facts(), **said)
        while link.is_open:
            gevent.sleep(PING_S)
            self._send(link.agent, "ping", sent_ns=time.monotonic_ns())

    def _on_echo(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        back_ns = time.monotonic_ns()
        link = self._link_of(msg)
        if link is not None:
            link.relation.add(Echo(msg.data["sent_ns"], msg.data["seen_ns"], back_ns))

    def _listen(self, link: Link) -> None:
        """Lines from the parent: the plan, then commands; the end of them ends the worker."""
        has_plan = False
        try:
            for line in link.lines():
                said = orjson.loads(line)
                if said["do"] == "plan":
                    self._send_plan(link, said)
                    has_plan = True
                elif has_plan and link.agent is not None:
                    self._send(link.agent, "say", line=line)
                elif said["do"] == "end":  # before there was anything to do
                    break
        except (OSError, NotTaken) as error:
            link.close(f"{type(error).__name__}: {error}")
        if link.agent is not None:
            self._send(link.agent, "kill")
        link.close("told to end")

    def _send_plan(self, link: Link, said: dict[str, Any]) -> None:
        """The plan, on the worker's own clock, after the files that it names."""
        assert link.agent is not None
        for name, path in said["attached"].items():
            self._couriers[link.agent].ship(name, Path(path))
        plan = said["plan"]
        plan["started_monotonic_ns"] -= link.relation.fix()
        self._send(link.agent, "say", line=orjson.dumps(plan))

    def _on_said(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        link = self._link_of(msg)
        if link is not None:
            link.pass_on(msg.data["line"] + b"\n")

    def _on_part(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        link, part = self._link_of(msg), msg.data
        named = _FILES.fullmatch(part["name"])
        if link is None or named is None:
            return
        path = self._run_dir / f"{named[1]}-w{link.worker}-{named[2]}.jsonl"
        try:
            self._send(msg.node_id, "got", **take_part(path, part))
        except OSError as error:
            link.tell(
                "error",
                message=f"cannot write to {self._run_dir}: {error.strerror}",
                hint="free some space, or name another place with --out DIR; the worker keeps its rows",
                exit_code=1,
            )

    def _on_got(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        if self._link_of(msg) is not None:
            self._couriers[msg.node_id].got(msg.data)

    def _on_over(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002
        link = self._link_of(msg)
        if link is not None:
            self._send(msg.node_id, "bye")
            if msg.data["log"]:
                print(msg.data["log"], file=sys.stderr, flush=True)
            link.close(msg.data["how"])


def main() -> int:
    """Read the orders, serve, end."""
    logging.getLogger("locust").setLevel(logging.CRITICAL)  # who is here and who is not is said by us
    orders = orjson.loads(sys.stdin.buffer.readline())
    Master(orders).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
