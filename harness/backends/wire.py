"""What the load engine needs to know of a backend's dialect: how to ask, and how to read the answer. No I/O."""

from collections.abc import Mapping, Sequence
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
    messages: tuple[Mapping[str, Any], ...] | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # added as it is; null takes a key away
    omit: Sequence[str] = ()  # keys that this server refuses
    rename: Mapping[str, str] = field(default_factory=dict)  # keys that it calls otherwise
    cache_salt: str | None = None  # differs in every request; None: reuse of the prefix cache is wanted


def as_asked(body: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    """A dialect's body as the user wants it: keys left out, called otherwise, and `extra_body` with the last word."""
    ours = {ask.rename.get(key, key): value for key, value in body.items() if key not in ask.omit}
    return {key: value for key, value in (ours | dict(ask.extra_body)).items() if value is not None}


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


class Reader:
    """Reads one answer, event by event or whole; each dialect says what the JSON object of either means."""

    __slots__ = ("answer",)

    def __init__(self) -> None:
        self.answer = Answer()

    def feed(self, event: bytes) -> bool:
        """Take one event's payload; True when it carried a generated token."""
        if event == b"[DONE]":
            self.answer.done = True
            return False
        try:
            data = orjson.loads(event)
        except orjson.JSONDecodeError:
            return False
        return isinstance(data, dict) and not self._is_error(data) and self.take(data)

    def whole(self, body: bytes) -> Answer:
        """A whole, not streamed answer (status 200)."""
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError:
            self.answer.error = "the answer is not JSON"
            return self.answer
        if not isinstance(data, dict):
            self.answer.error = error_message(data)
        elif not self._is_error(data):
            self.take_whole(data)
        return self.answer

    def _is_error(self, data: Mapping[str, Any]) -> bool:
        if data.get("error") is None:
            return False
        self.answer.error = self.error_words(data)
        return True

    def error_words(self, data: Mapping[str, Any]) -> str:
        """What an object with an `error` says."""
        return error_message(data["error"])

    def take(self, data: dict[str, Any]) -> bool:
        """One event of a stream; True when it carried a generated token."""
        raise NotImplementedError

    def take_whole(self, data: dict[str, Any]) -> None:
        """The object of a whole answer."""
        raise NotImplementedError


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
