"""What master and agent say to each other over Locust, and what either is ordered by the process that starts it."""

import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from harness.load.lines import M, decode, name_of, readers
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


def send(runner: Any, message: Message, to: str | None = None) -> None:
    """Over a Locust runner; a master says to whom."""
    runner.send_message(name_of(type(message)), asdict(message), to)


def listen(runner: Any, handler: Callable[[str, Message], None]) -> None:
    """Hand on each message, with Locust's id of its sender. What is no message is left out, and logged."""
    for kind in get_args(Message):
        runner.register_message(name_of(kind), _reader(kind, handler))


def _reader(kind: type[Message], handler: Callable[[str, Message], None]) -> Callable[..., None]:
    adapter: TypeAdapter[Message] = TypeAdapter(kind)

    def read(environment: Any, msg: Any) -> None:  # noqa: ARG001  # Locust's two keywords
        try:
            message = adapter.validate_python(msg.data)
        except ValidationError as error:
            print(f"no `{msg.type}`: {error.errors()[0]['msg']}", file=sys.stderr, flush=True)
        else:
            handler(msg.node_id, message)

    return read


# ---- the first line on standard input


@dataclass(frozen=True, slots=True)
class MasterOrders:
    """Where to listen; `links`: each awaited worker's number and the descriptor of its line."""

    host: str
    port: int
    run_dir: str
    links: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class AgentOrders:
    """Whom to serve, and where rows may lie."""

    host: str
    port: int
    out_dir: str
    is_out_dir_ours: bool  # made for the run, and to be removed after it
    says_nobody: bool  # that no master is there, if none is
    who: Who


def orders(kind: type[M]) -> M:
    """From standard input."""
    known: dict[bytes, TypeAdapter[M]] = readers(kind)
    return decode(known, sys.stdin.buffer.readline())


# ---- how an agent ends, to the process that lends it: 0 and 1 as anywhere

REFUSED = 2  # its master will never take it
BUSY = 3  # the run has all that it needs
NOBODY = 4  # no master is there
