"""The OpenAI dialect, `completions` and `chat`, and what each engine adds to it. No I/O."""

from typing import Any

import orjson

from harness.backends.wire import Answer, Ask, Headers, Reader, as_asked

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
        """A chunk: at most one choice, and the counts in the last one."""
        choices: list[dict[str, Any]] = data.get("choices") or []
        is_token = bool(choices) and self._choice(choices[0])
        if not _COUNTS.isdisjoint(data):
            _read_counts(self.answer, data)
        return is_token

    def take_whole(self, data: dict[str, Any]) -> None:
        """The first choice, and the counts."""
        answer = self.answer
        for choice in (data.get("choices") or [])[:1]:
            message = choice.get("message") or {}
            text = choice.get("text") or message.get("content") or message.get("reasoning_content") or ""
            answer.finish_reason = choice.get("finish_reason") or None
            answer.text.append(text)
            answer.token_events += bool(text)
        _read_counts(answer, data)

    def _choice(self, choice: dict[str, Any]) -> bool:
        answer = self.answer
        delta = choice.get("delta")
        if delta is None:
            text, role_only = choice.get("text"), False
        else:
            text = delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning")
            if not text and delta.get("tool_calls"):
                text = _tool_text(delta["tool_calls"])
            role_only = self._role_is_mark and "role" in delta
        finish = choice.get("finish_reason")
        if finish:  # TGI's completions send "" in the middle of a stream
            answer.finish_reason = finish
        if text:
            answer.text.append(text)
        elif not self._empty_is_token or role_only:
            return False
        answer.token_events += 1
        return True


def _tool_text(calls: list[dict[str, Any]]) -> str:
    functions = [call.get("function") or {} for call in calls]
    return "".join((f.get("name") or "") + (f.get("arguments") or "") for f in functions)


def _read_counts(answer: Answer, data: dict[str, Any]) -> None:
    usage = data.get("usage")
    if usage:
        answer.prompt_tokens = usage.get("prompt_tokens", answer.prompt_tokens)
        answer.output_tokens = usage.get("completion_tokens", answer.output_tokens)
        details = usage.get("prompt_tokens_details")
        if details and details.get("cached_tokens") is not None:
            answer.cached_tokens = details["cached_tokens"]
    timings = data.get("timings")  # llama-server, in its last chunk
    if timings:
        read_timings(answer, timings)
    metrics = data.get("metrics")  # vLLM with --enable-per-request-metrics, in its last chunk
    if metrics:
        answer.server_queue_s = seconds(metrics.get("queue_time_ms"))
        answer.server_prefill_s = seconds(metrics.get("time_to_first_token_ms"))  # from its start, not arrival
        answer.server_decode_s = seconds(metrics.get("generation_time_ms"))


def read_timings(answer: Answer, timings: dict[str, Any]) -> None:
    """llama-server's `timings`: counts where usage gave none, and its times."""
    if answer.output_tokens is None:
        answer.output_tokens = timings.get("predicted_n")
    answer.cached_tokens = timings.get("cache_n", answer.cached_tokens)
    if answer.prompt_tokens is None and timings.get("prompt_n") is not None:
        answer.prompt_tokens = timings["prompt_n"] + (timings.get("cache_n") or 0)
    answer.server_prefill_s = seconds(timings.get("prompt_ms"))
    answer.server_decode_s = seconds(timings.get("predicted_ms"))


def seconds(milliseconds: Any) -> float | None:
    """Of a number of milliseconds; None for anything else."""
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


class OpenAiWire:
    """Any OpenAI-compatible endpoint: only what the OpenAI API itself knows is sent."""

    name = "openai"  # its key in BACKENDS
    apis: tuple[str, ...] = ("completions", "chat")  # values of `request.api` that it serves
    tokenize_paths: tuple[str, ...] = ("/tokenize",)  # routes that count tokens, best first
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
        return as_asked(body | self.sampling_keys(ask) | self.engine_keys(ask), ask)

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:
        """All that the draw of a token depends on; greedy depends on nothing, and some refuse `top_p` beside it."""
        return {"top_p": 1} if ask.temperature > 0 else {}

    def engine_keys(self, ask: Ask) -> dict[str, Any]:  # noqa: ARG002 - the engines' own use it
        """Keys that only this engine knows."""
        return {}

    def complaint(self, ask: Ask) -> str | None:  # noqa: ARG002 - TGI's package can tell
        """Why the server will refuse every request like this one, as far as that can be told without asking it."""
        return None

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

    def token_count(self, path: str, body: bytes) -> int | None:  # noqa: ARG002
        """The count in such an answer; None when it makes no sense.

        vLLM answers {count, tokens}, llama-server {tokens}, TGI a list of tokens.
        """
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None
        if isinstance(data, list):
            return len(data)
        if not isinstance(data, dict):
            return None
        if isinstance(data.get("count"), int):
            return int(data["count"])
        return len(data["tokens"]) if isinstance(data.get("tokens"), list) else None
