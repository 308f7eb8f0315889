"""TGI's dialects: its own `/generate` and `/generate_stream`, and its OpenAI routes (router of TGI 3.3)."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from harness.backends.counts import count_of, seconds
from harness.backends.openai_compat import OpenAiReader, OpenAiWire, texts
from harness.backends.wire import MAX_DETAIL_CHARS, Answer, Ask, Headers, Messages, Reader, as_asked, error_message


class TgiReader(Reader):
    """Reads `/generate`, and `/generate_stream`: one event a token, with or without text.

    The last one has `generated_text`; there is no `[DONE]`. An error, at any point, is an event of its own, under
    status 200.
    """

    __slots__ = ()

    def error_words(self, data: Mapping[str, Any]) -> str:
        """`overloaded: Model is overloaded`: under status 200 the type is all that tells overload from misuse."""
        kind, words = data.get("error_type"), super().error_words(data)
        return f"{error_message(kind)}: {words}"[:MAX_DETAIL_CHARS] if kind else words

    def take(self, data: dict[str, Any]) -> bool:
        """A token, the last one with the details of the whole."""
        answer = self.answer
        token = data.get("token")
        if not isinstance(token, dict):
            self.note_words(data)
            return False
        answer.token_events += 1
        if data.get("generated_text") is not None:
            answer.done = True
            _read_details(answer, data.get("details"))
            if answer.output_tokens is None:  # `details` was not asked for; each event is one token
                answer.output_tokens, answer.is_derived = answer.token_events, True
        if not token.get("special"):
            answer.text.append("".join(texts(token.get("text"))))
        return True

    def take_whole(self, data: dict[str, Any]) -> None:
        """The text, and its details."""
        self.answer.text.append("".join(texts(data.get("generated_text"))))
        _read_details(self.answer, data.get("details"))
        self.answer.token_events += bool(self.answer.output_tokens)


def _read_details(answer: Answer, details: object) -> None:
    if not isinstance(details, Mapping):
        return
    answer.finish_reason = str(details.get("finish_reason") or "") or None
    answer.output_tokens = count_of(details.get("generated_tokens"))
    answer.prompt_tokens = count_of(details.get("input_length"))  # streams only


class TgiWire(OpenAiWire):
    """TGI. No request can keep it from stopping at an end of sequence: lengths are not forced, but counted."""

    name = "tgi"
    apis = ("native", "completions", "chat")
    chat_tokenize_path = "/chat_tokenize"
    empty_is_token = True  # special tokens have no text, incomplete characters are held back

    def path(self, api: str, *, stream: bool) -> str:
        """The native route has one path for streams and one for whole answers."""
        if api != "native":
            return super().path(api, stream=stream)
        return "/generate_stream" if stream else "/generate"

    def body(self, ask: Ask) -> dict[str, Any]:
        """`extra_body` has the last word, on the native route also inside `parameters`."""
        if ask.api == "native":
            return _native_body(ask, self.constraint_keys(ask))
        return super().body(ask)

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:  # noqa: ARG002
        """None: unset it draws from all tokens, and a `top_p` of 1 is refused."""
        return {}

    def schema_keys(self, ask: Ask, schema: Any) -> dict[str, Any]:
        """Of conversations; the completions route has none. The native one: `_native_body`."""
        return {"response_format": {"type": "json", "value": schema}} if ask.api != "completions" else {}

    def grammar_keys(self, ask: Ask, grammar: str) -> dict[str, Any]:
        """Its only grammar is a regular expression."""
        return {"response_format": {"type": "regex", "value": grammar}} if ask.api != "completions" else {}

    def complaint(self, ask: Ask) -> str | None:
        """What TGI's own package `text-generation` objects to, where it is installed (extra `tgi`)."""
        if ask.api != "native" or find_spec("text_generation") is None:
            return super().complaint(ask)
        from text_generation import errors, types  # half a second, and only here

        parameters = dict(self.body(ask)["parameters"])
        parameters.pop("frequency_penalty", None)  # the package refuses 0 and below, the router does not
        try:
            types.Request(inputs=ask.prompt, stream=ask.stream, parameters=types.Parameters(**parameters))
        except errors.ValidationError as error:
            return str(error)
        except ValueError as error:  # pydantic's own
            return str(error).splitlines()[2].strip() if len(str(error).splitlines()) > 2 else str(error)
        return None

    def reader(self, api: str) -> Reader:
        """Every chat chunk names the role, the first already with a token."""
        return TgiReader() if api == "native" else OpenAiReader(empty_is_token=True, role_is_mark=False)

    def read_body(self, api: str, body: bytes, headers: Headers) -> Answer:
        """A whole answer; prompt tokens and times are in its headers."""
        answer = super().read_body(api, body, headers)
        if answer.prompt_tokens is None:
            answer.prompt_tokens = _number(headers, "x-prompt-tokens")
        if answer.output_tokens is None:
            answer.output_tokens = _number(headers, "x-generated-tokens")
        answer.server_queue_s = seconds(_number(headers, "x-queue-time"))
        answer.server_total_s = seconds(_number(headers, "x-total-time"))
        return answer

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """TGI tokenizes what it would generate from, special tokens included."""
        return {"inputs": text}

    def chat_tokenize_body(self, messages: Messages, model: str | None) -> dict[str, Any]:
        """A chat request of which nothing is generated."""
        return {"messages": list(messages), "model": model or self.name}


def _native_body(ask: Ask, constraint: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are not set are left out: most of TGI's are not nullable, and temperature 0 is refused."""
    parameters: dict[str, Any] = {
        "do_sample": ask.temperature > 0,
        "max_new_tokens": ask.max_tokens,
        "details": True,
        "return_full_text": False,
    }
    if ask.temperature > 0:
        parameters["temperature"] = ask.temperature
    if constraint:
        parameters["grammar"] = constraint["response_format"]
    extra = dict(ask.extra_body)
    own = extra.pop("parameters", None) or {}
    body = {"inputs": ask.prompt, "parameters": as_asked(parameters, replace(ask, extra_body=own))}
    return as_asked(body, replace(ask, extra_body=extra))


def _number(headers: Headers, name: str) -> int | None:
    return count_of(headers.get(name))
