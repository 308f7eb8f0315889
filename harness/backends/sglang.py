"""SGLang's dialects: its OpenAI routes, and its own `/generate` (read in SGLang 0.4.6, 0.5.3 and 0.5.23)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from harness.backends.counts import count_of
from harness.backends.openai_compat import OpenAiReader, OpenAiWire, texts
from harness.backends.wire import HTTP_ERRORS, Answer, Ask, Messages, Reader, as_asked, error_message


class SglangReader(Reader):
    """Reads `/generate`: an event a step, with all the text so far, and counts in `meta_info`. Then `[DONE]`.

    With `--incremental-streaming-output` an event has only what is new.
    """

    __slots__ = ("_so_far",)

    def __init__(self) -> None:
        super().__init__()
        self._so_far: str | None = ""  # None: events have only what is new

    def take(self, data: dict[str, Any]) -> bool:
        """A step: it carried a token where its count rose."""
        meta = data.get("meta_info")
        if not isinstance(meta, Mapping):
            self.note_words(data)
            return False
        answer, before = self.answer, self.answer.output_tokens or 0
        text = "".join(texts(data.get("text")))
        if self._so_far is not None and text.startswith(self._so_far):
            text, self._so_far = text[len(self._so_far) :], text
        else:
            self._so_far = None
        if text:
            answer.text.append(text)
        _read_meta(answer, meta)
        if (answer.output_tokens or 0) <= before:
            return False
        answer.token_events += 1
        return True

    def take_whole(self, data: dict[str, Any]) -> None:
        """It has the form of a stream's last event."""
        self.take(data)


def _read_meta(answer: Answer, meta: Mapping[str, Any]) -> None:
    answer.prompt_tokens = count_of(meta.get("prompt_tokens"))
    answer.output_tokens = count_of(meta.get("completion_tokens"))
    answer.cached_tokens = count_of(meta.get("cached_tokens"))
    finish = meta.get("finish_reason")
    if not isinstance(finish, Mapping):
        answer.finish_reason = str(finish) if finish else None
        return
    status = count_of(finish.get("status_code"))
    if finish.get("type") == "abort" and status is not None and status >= HTTP_ERRORS:  # a full queue, a bad request
        answer.error = error_message(finish)
        return
    answer.finish_reason = str(finish.get("type") or "") or None


class SglangWire(OpenAiWire):
    """SGLang. `ignore_eos` alone is exact: nothing but the length ends an answer then.

    `min_tokens` would only add a penalty over the whole vocabulary to each step. A conversation's chunks have text or
    name the role; that with the finish_reason has neither, and is no token.
    """

    name = "sglang"
    apis = ("completions", "chat", "native")

    def path(self, api: str, *, stream: bool) -> str:
        """The native route is one for both."""
        return "/generate" if api == "native" else super().path(api, stream=stream)

    def body(self, ask: Ask) -> dict[str, Any]:
        """`extra_body` has the last word, on the native route also inside `sampling_params`."""
        if ask.api != "native":
            return super().body(ask)
        return _native_body(ask, self.sampling_keys(ask) | self.constraint_keys(ask))

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:
        """Where nothing is said a conversation takes them from the model's generation_config.json."""
        keys = super().sampling_keys(ask)
        return keys | ({"top_k": -1, "min_p": 0, "repetition_penalty": 1} if ask.temperature > 0 else {})

    def engine_keys(self, ask: Ask) -> dict[str, Any]:
        """Lengths; and `cache_salt`, which keeps a request from another's prefix (from 0.5.3 on; else ignored)."""
        keys: dict[str, Any] = {"ignore_eos": True} if ask.force_length else {}
        return keys | ({"cache_salt": ask.cache_salt} if ask.cache_salt else {})

    def schema_keys(self, ask: Ask, schema: Any) -> dict[str, Any]:
        """As text, but in conversations: completions know OpenAI's key from 0.5 on only."""
        return super().schema_keys(ask, schema) if ask.api == "chat" else {"json_schema": orjson.dumps(schema).decode()}

    def grammar_keys(self, ask: Ask, grammar: str) -> dict[str, Any]:  # noqa: ARG002 - all routes take it
        """EBNF."""
        return {"ebnf": grammar}

    def reader(self, api: str) -> Reader:
        """Completions send an event for each step, with or without text."""
        return SglangReader() if api == "native" else OpenAiReader(empty_is_token=api == "completions")

    def chat_tokenize_body(self, messages: Messages, model: str | None) -> dict[str, Any]:
        """Without `add_generation_prompt`: then it is rendered as for an answer, with any template."""
        return {"messages": list(messages)} | ({"model": model} if model else {})


def _native_body(ask: Ask, sampling: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {"max_new_tokens": ask.max_tokens, "temperature": ask.temperature, **sampling}
    if ask.force_length:
        parameters["ignore_eos"] = True
    extra = dict(ask.extra_body)
    own = extra.pop("sampling_params", None) or {}
    body: dict[str, Any] = {
        "text": ask.prompt,
        "sampling_params": as_asked(parameters, replace(ask, extra_body=own)),
        "stream": ask.stream,
    }
    if ask.cache_salt:
        body |= {"cache_salt": ask.cache_salt, "extra_key": ask.cache_salt}  # new name and old
    return as_asked(body, replace(ask, extra_body=extra))
