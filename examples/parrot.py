"""A whole backend: the dialect of "Parrot", a server that does not exist. No I/O: bytes and dicts.

To add one: such a file in `harness/backends/`, a line in its `BACKENDS`, and what the server really sends in
`tests/support/dialects.py`, so that `tests/backends/test_contract.py` holds it to what all the others keep.

    POST /v1/talk   {"text", "limit", "heat", "live"}
    streamed        data: {"piece": " word"}   ...   data: {"end": "length", "used": {"in": 7, "out": 3}}
    whole           {"said": "...", "end": "length", "used": {"in": 7, "out": 3}}
    any time        {"fault": "words"}
    POST /v1/count  {"text"}  ->  {"count": 7}
"""

from typing import Any

import orjson

from harness.backends.wire import Answer, Ask, Headers, StreamReader, Wire, error_message


class ParrotStream:
    """Reads one streamed answer; an event with a `piece` is a token, and nothing else is."""

    def __init__(self) -> None:
        self.answer = Answer()

    def feed(self, event: bytes) -> bool:
        """Take one event's payload; True when it carried a generated token."""
        if event == b"[DONE]":
            self.answer.done = True
            return False
        data = _object(event)
        if "piece" in data:
            self.answer.text.append(data["piece"])
            self.answer.token_events += 1
        _read_end(self.answer, data)
        return "piece" in data


class ParrotWire:
    """How Parrot is asked, and how a whole answer of it is read."""

    name = "parrot"
    apis: tuple[str, ...] = ("native",)
    tokenize_paths: tuple[str, ...] = ("/v1/count",)

    def path(self, api: str, *, stream: bool) -> str:  # noqa: ARG002 - one route for everything
        """The route that serves `api`."""
        return "/v1/talk"

    def body(self, ask: Ask) -> dict[str, Any]:
        """The request's JSON body; `extra_body` has the last word."""
        body = {"text": ask.prompt, "limit": ask.max_tokens, "heat": ask.temperature, "live": ask.stream}
        return body | dict(ask.extra_body)

    def complaint(self, ask: Ask) -> str | None:
        """Parrot has no switch that makes it go on after the end of a sentence."""
        return "parrot cannot be made to answer at full length" if ask.force_length else None

    def reader(self, api: str) -> StreamReader:  # noqa: ARG002
        """A reader for one streamed answer."""
        return ParrotStream()

    def read_body(self, api: str, body: bytes, headers: Headers) -> Answer:  # noqa: ARG002
        """A whole, not streamed answer."""
        data = _object(body)
        answer = Answer(text=[data["said"]], token_events=1) if "said" in data else Answer()
        _read_end(answer, data)
        if not data:
            answer.error = "the answer is no JSON object"
        return answer

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """The JSON body that asks for the token count of `text`."""
        return {"text": text}

    def token_count(self, path: str, body: bytes) -> int | None:  # noqa: ARG002
        """The count; None when it makes no sense."""
        count = _object(body).get("count")
        return count if isinstance(count, int) else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def _read_end(answer: Answer, data: dict[str, Any]) -> None:
    if "fault" in data:
        answer.error = error_message(data["fault"])
    if "end" in data:
        answer.finish_reason = data["end"]
        answer.prompt_tokens, answer.output_tokens = data["used"]["in"], data["used"]["out"]


WIRE: Wire = ParrotWire()
