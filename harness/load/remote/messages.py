"""What master and agent say to each other over Locust, and what either is ordered by the process that starts it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError

from harness.load.protocol import Who, decode


@dataclass(frozen=True, slots=True)
class Hello:
    """Agent: here I am."""

    kind: ClassVar = "hello"
    who: Who


@dataclass(frozen=True, slots=True)
class Welcome:
    """Master: you are the run's process `worker`."""

    kind: ClassVar = "welcome"
    worker: int
    run: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Master: not you. Final: never; else ask again."""

    kind: ClassVar = "refused"
    text: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class Ping:
    """Master: how late is it there?"""

    kind: ClassVar = "ping"
    sent_ns: int  # on the master's clock


@dataclass(frozen=True, slots=True)
class Pong:
    """Agent: this late."""

    kind: ClassVar = "pong"
    sent_ns: int
    seen_ns: int  # on the agent's clock


@dataclass(frozen=True, slots=True)
class Say:
    """Master: a line for the load process."""

    kind: ClassVar = "say"
    line: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """Agent: a line of the load process."""

    kind: ClassVar = "said"
    line: bytes


@dataclass(frozen=True, slots=True)
class Kill:
    """Master: end the load process now."""

    kind: ClassVar = "kill"


@dataclass(frozen=True, slots=True)
class Over:
    """Agent: the load process has ended."""

    kind: ClassVar = "over"
    how: str
    log: str  # the last that it printed


@dataclass(frozen=True, slots=True)
class Bye:
    """Master: all is here."""

    kind: ClassVar = "bye"


@dataclass(frozen=True, slots=True)
class Part:
    """Either: a piece of a file."""

    kind: ClassVar = "part"
    name: str
    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Got:
    """Either: so much of a file is there."""

    kind: ClassVar = "got"
    name: str
    size: int


Message = Hello | Welcome | Refused | Ping | Pong | Say | Said | Kill | Over | Bye | Part | Got


def send(runner: Any, message: Message, to: str | None = None) -> None:
    """Over a Locust runner; a master says to whom."""
    runner.send_message(message.kind, asdict(message), to)


def listen(runner: Any, handlers: Mapping[type[Message], Callable[[str, Any], None]]) -> None:
    """Hand each message to its handler, with Locust's id of its sender. What is no message is left out, and logged."""
    for kind, handler in handlers.items():
        runner.register_message(kind.kind, _reader(kind, handler))


def _reader(kind: type[Message], handler: Callable[[str, Any], None]) -> Callable[..., None]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def read(environment: Any, msg: Any) -> None:  # noqa: ARG001  # Locust's two keywords
        try:
            message = adapter.validate_python(msg.data)
        except ValidationError as error:
            print(f"no `{kind.kind}`: {error.errors()[0]['msg']}", file=sys.stderr, flush=True)
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
    who: Who


_MASTER_ORDERS = TypeAdapter(MasterOrders)
_AGENT_ORDERS = TypeAdapter(AgentOrders)


def master_orders() -> MasterOrders:
    """From standard input."""
    return decode(_MASTER_ORDERS, sys.stdin.buffer.readline())


def agent_orders() -> AgentOrders:
    """From standard input."""
    return decode(_AGENT_ORDERS, sys.stdin.buffer.readline())


# ---- what an agent says to the process that lends it


@dataclass(frozen=True, slots=True)
class TakenOn:
    """A run has taken it."""

    worker: int
    run: str
    news: Literal["taken_on"] = "taken_on"


@dataclass(frozen=True, slots=True)
class Home:
    """Its rows are with the master."""

    news: Literal["home"] = "home"


@dataclass(frozen=True, slots=True)
class Busy:
    """The run has all that it needs."""

    news: Literal["busy"] = "busy"


@dataclass(frozen=True, slots=True)
class Nobody:
    """No master is there."""

    news: Literal["nobody"] = "nobody"


@dataclass(frozen=True, slots=True)
class Trouble:
    """It could not do its work, or not to the end."""

    text: str
    news: Literal["trouble"] = "trouble"


News = TakenOn | Home | Busy | Nobody | Trouble
_NEWS: TypeAdapter[News] = TypeAdapter(Annotated[News, Field(discriminator="news")])


def news_of(line: bytes) -> News:
    """What an agent says.

    Raises:
        Malformed: it is no news.
    """
    return decode(_NEWS, line)
