"""The OpenAI dialect, `completions` and `chat`, and what each engine adds to it. No I/O."""

from typing import Any

import orjson

from harness.backends.counts import count_of, read_usage, seconds
from harness.backends.ends import bad_end
from harness.backends.said import Counted
from harness.backends.wire import Answer, Ask, Headers, Messages, Reader, as_asked, error_message, whole_json

_COUNTS = frozenset({"usage", "timings", "metrics"})
PATHS = {"completions": "/v1/completions", "chat": "/v1/chat/completions"}


class OpenAiReader(Reader):
    """Reads `completions` and `chat`.

    A token event has text, reasoning text or a tool call's text. A chunk that only names the role never counts.
    With `empty_is_token` (vLLM, TGI) an event without text is a token too: the engine holds back incomplete
    characters and hides special tokens, but sends an event for each step. With `role_is_mark` false (TGI) a
    chunk that names the role is a token like any other: all of them do.
    """

    __slots__ = ("_empty_is_token", "_role_is_mark")

    def __init__(self, *, empty_is_token: bool, role_is_mark: bool = True) -> None:
        super().__init__()
        self._empty_is_token = empty_is_token
        self._role_is_mark = role_is_mark

    def take(self, data: dict[str, Any]) -> bool:
        """A chunk: its choices, and the counts, mostly in the last one."""
        if not _COUNTS.isdisjoint(data):
            _read_counts(self.answer, data)
        choices: list[dict[str, Any]] = data.get("choices") or []
        if not choices:
            self.note_words(data)
            return False
        if len(choices) == 1:
            return self._choice(choices[0])
        return max(map(self._choice, choices))  # all of them are read

    def take_whole(self, data: dict[str, Any]) -> None:
        """The choices, and the counts."""
        answer = self.answer
        choices: list[dict[str, Any]] = data.get("choices") or []
        if not choices:
            self.note_words(data)
        answer.choices = max(len(choices), 1)
        for number, choice in enumerate(choices):
            message = choice.get("message") or {}
            text, aside = texts(choice.get("text") or message.get("content"))
            aside += _aside(message)
            if number:
                text, aside = "", text + aside
            answer.text.append(text)
            answer.aside.append(aside)
            answer.token_events += bool(text or aside)
            self._note_end(choice)
        _read_counts(answer, data)

    def _choice(self, choice: dict[str, Any]) -> bool:
        answer = self.answer
        delta = choice.get("delta")
        aside = ""
        if delta is None:
            text, role_only = choice.get("text"), False
        else:
            text, has_role = delta.get("content"), "role" in delta
            if not text or len(delta) > 1 + has_role:
                aside = _aside(delta)
            role_only = has_role and self._role_is_mark
        if choice.get("finish_reason"):  # TGI's completions send "" in the middle of a stream
            self._note_end(choice)
        if text.__class__ is not str:
            text, more = texts(text)
            aside += more
        if choice.get("index"):
            text, aside = self._of_another(choice["index"], text, aside)
        if text:
            answer.text.append(text)
        if aside:
            answer.aside.append(aside)
        elif not text and (not self._empty_is_token or role_only):
            return False
        answer.token_events += 1
        return True

    def _of_another(self, index: object, text: str, aside: str) -> tuple[str, str]:
        """A further choice is generated too, but it is not what a conversation goes on with."""
        self.answer.choices = max(self.answer.choices, (count_of(index) or 0) + 1)
        return "", text + aside

    def _note_end(self, choice: dict[str, Any]) -> None:
        """Why a choice ended; a bad end of one is not undone by a good one of another."""
        answer = self.answer
        finish = choice.get("finish_reason")
        if finish and (answer.finish_reason is None or bad_end(answer.finish_reason) is None):
            answer.finish_reason = finish if isinstance(finish, str) else orjson.dumps(finish).decode()
        if choice.get("error"):
            answer.error = error_message(choice["error"])
        read_usage(answer, choice.get("usage"))


def texts(content: object) -> tuple[str, str]:
    """The reply and what is generated beside it, of content in any form: text, or parts with types."""
    if content is None or isinstance(content, str):
        return content or "", ""
    parts = content if isinstance(content, list) else [content]
    text, aside = "", ""
    for part in parts:
        if not isinstance(part, dict):
            text += "" if part is None else str(part)
        elif str(part.get("type", "text")).removeprefix("output_") in ("text", "refusal"):
            text += _text_in(part)
        else:
            aside += _text_in(part)
    return text, aside


def _text_in(part: object) -> str:
    """All text inside a part, however deep: `{"type": "thinking", "thinking": [{"type": "text", "text": ...}]}`."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(map(_text_in, part))
    if isinstance(part, dict):
        return "".join(_text_in(value) for key, value in part.items() if key in _HOLDS_TEXT)
    return ""


_HOLDS_TEXT = frozenset({"text", "value", "content", "thinking", "reasoning", "summary", "refusal"})


def _aside(message: dict[str, Any]) -> str:
    """The reasoning of a message or delta, and the text of its tool calls."""
    thought = message.get("reasoning_content") or message.get("reasoning") or message.get("thinking")
    text = _text_in(thought) if thought else ""
    if message.get("tool_calls"):
        text += _tool_text([call.get("function") or {} for call in message["tool_calls"]])
    if message.get("function_call"):
        text += _tool_text([message["function_call"]])
    return text


def _tool_text(functions: list[dict[str, Any]]) -> str:
    spoken = [part for function in functions for part in (function.get("name"), function.get("arguments")) if part]
    return "".join(part if isinstance(part, str) else orjson.dumps(part).decode() for part in spoken)


def _read_counts(answer: Answer, data: dict[str, Any]) -> None:
    if answer.fingerprint is None:
        answer.fingerprint = data.get("system_fingerprint")
    usage = data.get("usage")
    if usage:
        read_usage(answer, usage)
    timings = data.get("timings")  # llama-server, in its last chunk
    if timings:
        read_timings(answer, timings)
    metrics = data.get("metrics")  # vLLM with --enable-per-request-metrics, in its last chunk
    if isinstance(metrics, dict):
        answer.server_queue_s = seconds(metrics.get("queue_time_ms"))
        answer.server_prefill_s = seconds(metrics.get("time_to_first_token_ms"))  # from its start, not arrival
        answer.server_decode_s = seconds(metrics.get("generation_time_ms"))


def read_timings(answer: Answer, timings: object) -> None:
    """llama-server's `timings`: counts where usage gave none, and its times."""
    if not isinstance(timings, dict):
        return
    if answer.output_tokens is None:
        answer.output_tokens = count_of(timings.get("predicted_n"))
    cached, fresh = count_of(timings.get("cache_n")), count_of(timings.get("prompt_n"))
    answer.cached_tokens = answer.cached_tokens if cached is None else cached
    if answer.prompt_tokens is None and fresh is not None:
        answer.prompt_tokens = fresh + (cached or 0)
    answer.server_prefill_s = seconds(timings.get("prompt_ms"))
    answer.server_decode_s = seconds(timings.get("predicted_ms"))


class OpenAiWire:
    """Any OpenAI-compatible endpoint: only what the OpenAI API itself knows is sent."""

    name = "openai"  # its key in BACKENDS
    apis: tuple[str, ...] = ("completions", "chat")  # values of `request.api` that it serves
    tokenize_paths: tuple[str, ...] = ("/tokenize",)  # routes that count tokens, best first
    chat_tokenize_path: str | None = "/tokenize"  # counts a conversation with the chat template; None: there is none
    template_path: str | None = None  # gives a conversation as the text that the chat template makes of it
    empty_is_token = False

    def path(self, api: str, *, stream: bool) -> str:  # noqa: ARG002 - TGI's route depends on it
        """The route that serves `api`."""
        return PATHS[api]

    def body(self, ask: Ask) -> dict[str, Any]:
        """The request's JSON body; `extra_body` has the last word."""
        body: dict[str, Any] = {}
        if ask.model is not None:
            body["model"] = ask.model
        if ask.api == "chat":
            body["messages"] = list(ask.messages or ({"role": "user", "content": ask.prompt},))
        else:
            body["prompt"] = ask.prompt
        body |= {"max_tokens": ask.max_tokens, "temperature": ask.temperature, "stream": ask.stream}
        if ask.stream:
            body["stream_options"] = {"include_usage": True}
        return as_asked(body | self.sampling_keys(ask) | self.engine_keys(ask) | self.constraint_keys(ask), ask)

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:
        """All that the draw of a token depends on; greedy depends on nothing, and some refuse `top_p` beside it."""
        return {"top_p": 1} if ask.temperature > 0 else {}

    def engine_keys(self, ask: Ask) -> dict[str, Any]:  # noqa: ARG002 - the engines' own use it
        """Keys that only this engine knows."""
        return {}

    def constraint_keys(self, ask: Ask) -> dict[str, Any]:
        """Keys that let the server generate nothing but what the ask's constraint allows; {} where it has none."""
        if ask.constraint is None:
            return {}
        if ask.constraint.grammar is not None:
            return self.grammar_keys(ask, ask.constraint.grammar)
        return self.schema_keys(ask, ask.constraint.schema)

    def schema_keys(self, ask: Ask, schema: Any) -> dict[str, Any]:  # noqa: ARG002 - an engine's routes differ
        """OpenAI's; `strict`, since without it the schema is a wish."""
        named = {"name": "answer", "schema": schema, "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": named}}

    def grammar_keys(self, ask: Ask, grammar: str) -> dict[str, Any]:  # noqa: ARG002 - the engines' own use it
        """OpenAI has none."""
        return {}

    def complaint(self, ask: Ask) -> str | None:
        """Why the server will refuse every request like this one, or ignore what it must not, as far as that can be
        told without asking it.
        """
        if ask.constraint is None or self.constraint_keys(ask):
            return None
        what = "json_schema" if ask.constraint.grammar is None else "grammar"
        return f"{self.name} has nothing to constrain its {ask.api} route with by `constrained: {what}`"

    def reader(self, api: str) -> Reader:  # noqa: ARG002 - native routes read otherwise
        """A reader for one answer."""
        return OpenAiReader(empty_is_token=self.empty_is_token)

    def read_body(self, api: str, body: bytes, headers: Headers) -> Answer:  # noqa: ARG002 - TGI's say more
        """A whole, not streamed answer (status 200)."""
        return self.reader(api).whole(body)

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """The JSON body that asks `path` for a count.

        It is vLLM's form, which others took over; llama-server's `content` beside it does no harm.
        """
        body: dict[str, Any] = {"prompt": text, "content": text, "add_special": True, "add_special_tokens": True}
        return body | ({"model": model} if model else {})

    def chat_tokenize_body(self, messages: Messages, model: str | None) -> dict[str, Any]:
        """What asks for a conversation's tokens, up to where its answer begins: vLLM's form."""
        return {"messages": list(messages), "add_generation_prompt": True} | ({"model": model} if model else {})

    def token_count(self, path: str, body: bytes) -> int | None:  # noqa: ARG002
        """The count in such an answer; None when it makes no sense.

        vLLM answers {count, tokens}, llama-server {tokens}, TGI a list of tokens, or {tokenize_response} of it.
        """
        data = whole_json(body)
        if isinstance(data, list):
            return len(data)
        return Counted.model_validate(data).told if isinstance(data, dict) else None
