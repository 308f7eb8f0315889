"""What the load engine needs to know of a backend's dialect: how to ask, and how to read the answer. No I/O."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

Messages = Sequence[Mapping[str, str]]  # a conversation

MAX_DETAIL_CHARS = 300  # of an error body or event that is kept in a record
MAX_LENIENT_BYTES = 1 << 20  # of JSON that is read although it is broken, at a tenth of the speed
MAX_EXAMPLE_CHARS = 120  # of an event that cannot be read
MAX_HTML_BYTES = 8192  # of a page that are looked through for its words
HTTP_ERRORS = 400  # and above
DONE = b"[DONE]"
_HTML = re.compile(rb"\s*(<\?xml\b[^>]*>\s*)?<(!--|!doctype html\b|(html|head|body|h1)\b)", re.IGNORECASE)
_TAG = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)|<[^>]*(>|\Z)", re.IGNORECASE | re.DOTALL)

MAX_QUICK_BYTES = 256 << 10  # of JSON: more may take long
MAX_PARTS = 100_000  # objects and lists of such a one, each up to a microsecond of a loop that all wait for

ODD_SHAPE = (AttributeError, LookupError, TypeError, RecursionError)
"""What a reader raises on JSON that is none of its dialect's."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """What alone the server may generate: JSON that fits a schema, or what a grammar in its own language allows."""

    schema: Mapping[str, Any] | bool | None = None
    grammar: str | None = None


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
    constraint: Constraint | None = None


def as_asked(body: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    """A dialect's body as the user wants it: keys left out, called otherwise, and `extra_body` with the last word."""
    ours = {ask.rename.get(key, key): value for key, value in body.items() if key not in ask.omit}
    return {key: value for key, value in (ours | dict(ask.extra_body)).items() if value is not None}


@dataclass(slots=True)
class Answer:
    """What an answer said of itself so far. Token counts and times are the server's own, or None."""

    text: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)  # generated too, but no part of the reply: reasoning, tool calls
    token_events: int = 0  # events that carried at least one generated token
    choices: int = 1
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    written_tokens: int | None = None  # of the prompt, into the server's cache
    output_tokens: int | None = None
    reasoning_tokens: int | None = None  # of output_tokens
    total_tokens: int | None = None
    is_derived: bool = False  # output_tokens is the total without the prompt
    unreadable: int = 0  # events that could not be read
    example: str | None = None  # the first of them
    error: str | None = None  # the message of an error the server put into the answer
    words: str | None = None  # of an object that is no part of an answer: an error, unless the answer is whole
    done: bool = False  # the server's own end mark was seen
    fingerprint: object = None  # of its build and settings, as OpenAI's `system_fingerprint`
    server_queue_s: float | None = None  # arrived to started
    server_prefill_s: float | None = None  # started to first token
    server_decode_s: float | None = None  # first token to last
    server_total_s: float | None = None  # arrived to answered

    @property
    def generated(self) -> str:
        """All text that was generated and sent, reasoning first."""
        return "".join(self.aside) + "".join(self.text)

    @property
    def reply(self) -> str:
        """What a conversation goes on with: no reasoning, also where it stands in the text itself."""
        _, mark, said = "".join(self.text).rpartition("</think>")
        return said.lstrip() if mark else "" if said.lstrip().startswith("<think>") else said


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
        if event == DONE:
            self.answer.done = True
            return False
        if sprawls(event):
            return self._cannot_read(event)
        try:
            data = orjson.loads(event)
        except orjson.JSONDecodeError:
            return self._feed_odd(event)
        if not isinstance(data, dict):
            return self._cannot_read(event)
        try:
            return False if self._is_error(data) else self.take(data)
        except ODD_SHAPE:
            return self._cannot_read(event)

    def _feed_odd(self, event: bytes) -> bool:
        """An event that is no strict JSON: broken characters and NaN are read all the same."""
        event = event.strip()
        if not event or event == DONE:
            self.answer.done |= bool(event)
            return False
        data = lenient_json(event)
        return self._cannot_read(event) if data is None else self.feed(orjson.dumps(data))

    def _cannot_read(self, event: bytes) -> bool:
        self.answer.unreadable += 1
        if self.answer.example is None:
            self.answer.example = event[: MAX_EXAMPLE_CHARS * 4].decode("utf-8", "replace")[:MAX_EXAMPLE_CHARS]
        return False

    def whole(self, body: bytes) -> Answer:
        """A whole, not streamed answer (status 200)."""
        data = whole_json(body)
        if data is None:
            self.answer.error = "the answer is not JSON"
        elif not isinstance(data, dict):
            self.answer.error = error_message(data) or "the answer is JSON, but no object"
        else:
            try:
                if not self._is_error(data):
                    self.take_whole(data)
            except ODD_SHAPE:
                return Answer(error="the answer is JSON of another shape")
        return self.answer

    def _is_error(self, data: Mapping[str, Any]) -> bool:
        if not data.get("error"):
            return False
        self.answer.error = self.error_words(data)
        return True

    def error_words(self, data: Mapping[str, Any]) -> str:
        """What an object with an `error` says."""
        return spoken(data) or "an error without words"

    def note_words(self, data: Mapping[str, Any]) -> None:
        """Keep what an object says that is no part of an answer."""
        words = spoken(data)
        if words is not None and says_error(data):
            self.answer.error = words
        self.answer.words = self.answer.words or words

    def take(self, data: dict[str, Any]) -> bool:
        """One event of a stream; True when it carried a generated token."""
        raise NotImplementedError

    def take_whole(self, data: dict[str, Any]) -> None:
        """The object of a whole answer."""
        raise NotImplementedError


def sprawls(text: bytes) -> bool:
    """Whether JSON has so many parts that reading it would hold up all other requests: no answer has."""
    return len(text) > MAX_QUICK_BYTES and text.count(b"{") + text.count(b"[") > MAX_PARTS


def whole_json(body: bytes) -> Any:
    """A JSON value, strict or lenient; None where it is neither, or sprawls."""
    if sprawls(body):
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return lenient_json(body)


def lenient_json(text: bytes) -> Any:
    """JSON with broken UTF-8, half a surrogate pair or a NaN in it; None where it is no JSON even so, or too long."""
    if len(text) > MAX_LENIENT_BYTES:
        return None
    try:
        value = json.loads(text.decode("utf-8", "replace"))
        return orjson.loads(orjson.dumps(_whole_text(value)))  # NaN becomes null
    except (ValueError, TypeError, RecursionError):
        return None


def _whole_text(value: Any) -> Any:
    """The same, each half of a surrogate pair replaced: such text can be written nowhere."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_text(item) for item in value]
    if isinstance(value, dict):
        return {_whole_text(key): _whole_text(item) for key, item in value.items()}
    return value


def error_message(error: object) -> str:
    """The words of an `error` value in whatever form a server sends it, cut to MAX_DETAIL_CHARS."""
    try:
        if isinstance(error, Mapping):
            error = error.get("message") or error.get("error") or orjson.dumps(dict(error), default=str).decode()
        return str(error)[:MAX_DETAIL_CHARS]
    except (TypeError, RecursionError):
        return "words nested too deep to be read"


def error_detail(body: bytes) -> str:
    """The words of an error body: its JSON message, or what an HTML page shows, else its first characters."""
    data = whole_json(body)
    if data is None and _HTML.match(body):
        shown = html.unescape(_TAG.sub("\n", body[:MAX_HTML_BYTES].decode("utf-8", "replace")))
        lines = dict.fromkeys(" ".join(line.split()) for line in shown.splitlines())  # a title is a heading again
        return "; ".join(filter(None, lines))[:MAX_DETAIL_CHARS]
    if data is None:
        return body[: MAX_DETAIL_CHARS * 4].decode("utf-8", "replace").strip()[:MAX_DETAIL_CHARS]
    return (spoken(data) if isinstance(data, Mapping) else None) or error_message(data)


_WORDS = ("error", "message", "detail", "msg", "error_message", "error_msg", "errors")


def spoken(data: Mapping[str, Any]) -> str | None:
    """What an object has to say for itself where it is no answer; None: nothing."""
    said = [data[key] for key in _WORDS if data.get(key) and not isinstance(data[key], bool)]
    return error_message(said[0]) if said else None


def says_error(data: Mapping[str, Any]) -> bool:
    """Whether an object without an `error` calls itself one: by its kind, its status or its code."""
    marks = (str(data.get(key) or "").lower() for key in ("object", "type", "status"))
    code = data.get("code", data.get("status_code"))
    return any("error" in mark for mark in marks) or (isinstance(code, int) and code >= HTTP_ERRORS)
