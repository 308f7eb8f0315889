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

from harness.backends.openai_compat import OpenAiWire
from harness.backends.wire import Ask, Reader, error_message


class ParrotReader(Reader):
    """Reads one answer; an event with a `piece` is a token, and nothing else is."""

    def take(self, data: dict[str, Any]) -> bool:
        """One event of a stream; True when it carried a generated token."""
        if "piece" in data:
            self.answer.text.append(data["piece"])
            self.answer.token_events += 1
        self._end(data)
        return "piece" in data

    def take_whole(self, data: dict[str, Any]) -> None:
        """The object of a whole answer."""
        if "said" in data:
            self.answer.text.append(data["said"])
            self.answer.token_events += 1
        self._end(data)

    def _end(self, data: dict[str, Any]) -> None:
        if "fault" in data:
            self.answer.error = error_message(data["fault"])
        if "end" in data:
            self.answer.finish_reason = data["end"]
            self.answer.prompt_tokens, self.answer.output_tokens = data["used"]["in"], data["used"]["out"]


class ParrotWire(OpenAiWire):
    """How Parrot is asked; the count of tokens comes in a form that is known already."""

    name = "parrot"
    apis = ("native",)
    tokenize_paths = ("/v1/count",)

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

    def reader(self, api: str) -> Reader:  # noqa: ARG002
        """A reader for one answer."""
        return ParrotReader()

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """The JSON body that asks for the token count of `text`."""
        return {"text": text}


WIRE = ParrotWire()
