"""What the load engine needs to know of a backend's dialect: how to ask, and how to read the answer. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

MAX_DETAIL_CHARS = 300  # of an error body or event that is kept in a record


ODD_SHAPE = (AttributeError, LookupError, TypeError)
"""What a reader raises on JSON that is none of its dialect's."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request in the scenario's terms; `messages` for chat, else `prompt`."""

    prompt: str
    max_tokens: int
    api: str  # completions | chat | native
    stream: bool
    temperature: float
    force_length: bool
    model: str | None
    messages: tuple[Mapping[str, str], ...] | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    cache_salt: str | None = None  # differs in every request; None: reuse of the prefix cache is wanted


@dataclass(slots=True)
class Answer:
    """What an answer said of itself so far. Token counts and times are the server's own, or None."""

    text: list[str] = field(default_factory=list)
    token_events: int = 0  # events that carried at least one generated token
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None  # the message of an error the server put into the answer
    done: bool = False  # the server's own end mark was seen
    server_queue_s: float | None = None  # arrived to started
    server_prefill_s: float | None = None  # started to first token
    server_decode_s: float | None = None  # first token to last
    server_total_s: float | None = None  # arrived to answered


class Headers(Protocol):
    """The headers of an answer; names in any case."""

    def get(self, name: str, /) -> object:
        """The value, None where there is no such header."""
        ...


class StreamReader(Protocol):
    """Reads the events of one streamed answer."""

    answer: Answer

    def feed(self, event: bytes) -> bool:
        """Take one event's payload; True when it carried a generated token."""
        ...


class Wire(Protocol):
    """One backend's dialect."""

    @property
    def name(self) -> str:
        """Key in BACKENDS."""
        ...

    @property
    def apis(self) -> tuple[str, ...]:
        """Values of `request.api` that it serves."""
        ...

    @property
    def tokenize_paths(self) -> tuple[str, ...]:
        """Routes that count tokens, best first."""
        ...

    def path(self, api: str, *, stream: bool) -> str:
        """The route that serves `api`."""
        ...

    def body(self, ask: Ask) -> dict[str, Any]:
        """The request's JSON body."""
        ...

    def complaint(self, ask: Ask) -> str | None:
        """Why the server will refuse every request like this one, as far as that can be told without asking it."""
        ...

    def reader(self, api: str) -> StreamReader:
        """A reader for one streamed answer."""
        ...

    def read_body(self, api: str, body: bytes, headers: Headers) -> Answer:
        """A whole, not streamed answer (status 200)."""
        ...

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:
        """The JSON body that asks `path` for the token count of `text`."""
        ...

    def token_count(self, path: str, body: bytes) -> int | None:
        """The count in the answer of a tokenize route; None when it makes no sense."""
        ...


def error_message(error: object) -> str:
    """The words of an `error` value in whatever form a server sends it, cut to MAX_DETAIL_CHARS."""
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("error") or orjson.dumps(dict(error), default=str).decode()
    return str(error)[:MAX_DETAIL_CHARS]


def error_detail(body: bytes) -> str:
    """The words of an error body: its JSON message where there is one, else its first characters."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[: MAX_DETAIL_CHARS * 4].decode("utf-8", "replace").strip()[:MAX_DETAIL_CHARS]
    if isinstance(data, Mapping):
        for key in ("error", "message", "detail"):
            if data.get(key):
                return error_message(data[key])
    return str(data)[:MAX_DETAIL_CHARS]
