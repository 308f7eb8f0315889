"""What master and agent say to each other, and what either is ordered by the process that starts it."""

import sys
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from harness.load.lines import M, decode, readers
from harness.load.protocol import Who


@dataclass(frozen=True, slots=True)
class Hello:
    """Agent: here I am."""

    who: Who


@dataclass(frozen=True, slots=True)
class Welcome:
    """Master: you are the run's process `worker`."""

    worker: int
    run: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Master: not you. Final: never; else ask again."""

    text: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Master: how late is it there?"""

    sent_ns: int  # on the master's clock


@dataclass(frozen=True, slots=True)
class Pong:
    """Agent: this late."""

    sent_ns: int
    seen_ns: int  # on the agent's clock


@dataclass(frozen=True, slots=True)
class Say:
    """Either: a line for the load process, or one of its own."""

    line: bytes


@dataclass(frozen=True, slots=True)
class Kill:
    """Master: end the load process now."""


@dataclass(frozen=True, slots=True)
class Over:
    """Agent: the load process has ended."""

    how: str
    log: str  # the last that it printed


@dataclass(frozen=True, slots=True)
class Bye:
    """Master: all is here."""


@dataclass(frozen=True, slots=True)
class Part:
    """Either: a piece of a file."""

    name: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Got:
    """Either: so much of a file is there."""

    name: str
    size: int


Message = Hello | Welcome | Refused | Ping | Pong | Say | Kill | Over | Bye | Part | Got


# ---- the first line on standard input


@dataclass(frozen=True, slots=True)
class MasterOrders:
    """Where to listen; `links`: each awaited worker's number and the descriptor of its line."""

    host: str
    port: int
    token: str = field(repr=False)
    run_dir: str
    links: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class AgentOrders:
    """Whom to serve, and where rows may lie."""

    host: str
    port: int
    token: str = field(repr=False)
    out_dir: str
    is_out_dir_ours: bool  # made for the run, and to be removed after it
    allow_env: list[str]  # variables that a plan may name
    says_nobody: bool  # that no master is there, if none is
    who: Who


def orders(kind: type[M]) -> M:
    """From standard input."""
    known: dict[bytes, TypeAdapter[M]] = readers(kind)
    return decode(known, sys.stdin.buffer.readline())


# ---- how an agent ends, to the process that lends it: 0 and 1 as anywhere

REFUSED = 2  # its master will never take it
BUSY = 3  # the run has all that it needs
