"""llama.cpp's two servers, llama-server and llama-cpp-python: their OpenAI routes, llama-server's own too."""

from typing import Any

from harness.backends.counts import count_of
from harness.backends.openai_compat import OpenAiWire, read_timings, texts
from harness.backends.wire import Answer, Ask, Reader, as_asked

_FINISH = {"limit": "length", "eos": "stop", "word": "stop"}  # `stop_type` in OpenAI's words


class LlamaServerReader(Reader):
    """Reads `/completion`: one event a token, then one with `stop: true` that carries none. No `[DONE]`."""

    __slots__ = ()

    def take(self, data: dict[str, Any]) -> bool:
        """A token, or the end."""
        answer = self.answer
        text = "".join(texts(data.get("content")))
        if data.get("stop"):
            _read_end(answer, data)
            if not text:
                return False
        elif "content" not in data or "prompt_progress" in data:
            self.note_words(data)
            return False
        answer.text.append(text)
        answer.token_events += 1
        return True

    def take_whole(self, data: dict[str, Any]) -> None:
        """It has the form of a stream's last event."""
        self.take(data)
        if not self.answer.done and self.answer.words is None:
            self.answer.error = "the answer is no completion"


def _read_end(answer: Answer, data: dict[str, Any]) -> None:
    stop_type = str(data.get("stop_type"))
    answer.finish_reason = _FINISH.get(stop_type)  # "none": it has not ended by itself
    answer.done = True
    answer.prompt_tokens = count_of(data.get("tokens_evaluated"))
    answer.output_tokens = count_of(data.get("tokens_predicted"))
    read_timings(answer, data.get("timings"))


class LlamaCppWire(OpenAiWire):
    """llama.cpp: lengths through `ignore_eos` (llama-server) or `min_tokens` (llama-cpp-python).

    Each server ignores the other's key. `repeat_penalty` 1 undoes llama-cpp-python's default of 1.1, and
    `cache_prompt` false llama-server's reuse of the prefix. `native` is llama-server's `/completion`.
    """

    name = "llama_cpp"
    apis = ("completions", "chat", "native")
    tokenize_paths = ("/tokenize", "/extras/tokenize/count")
    chat_tokenize_path = None
    template_path = "/apply-template"  # llama-server's

    def path(self, api: str, *, stream: bool) -> str:
        """The route that serves `api`."""
        return "/completion" if api == "native" else super().path(api, stream=stream)

    def body(self, ask: Ask) -> dict[str, Any]:
        """The request's JSON body; `extra_body` has the last word."""
        if ask.api != "native":
            return super().body(ask)
        body: dict[str, Any] = {
            "prompt": ask.prompt,
            "n_predict": ask.max_tokens,
            "temperature": ask.temperature,
            "stream": ask.stream,
        }
        return as_asked(body | self.sampling_keys(ask) | self.engine_keys(ask) | self.constraint_keys(ask), ask)

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:
        """Their own defaults of `top_k` and `min_p` are 40 and 0.05."""
        return super().sampling_keys(ask) | ({"top_k": 0, "min_p": 0} if ask.temperature > 0 else {})

    def engine_keys(self, ask: Ask) -> dict[str, Any]:
        """Repetition not punished, prefix reuse off unless it is wanted, length forced."""
        keys: dict[str, Any] = {"repeat_penalty": 1.0, "cache_prompt": ask.cache_salt is None}
        if ask.force_length:
            keys |= {"ignore_eos": True, "min_tokens": ask.max_tokens}
        return keys

    def schema_keys(self, ask: Ask, schema: Any) -> dict[str, Any]:
        """Of a conversation in the form that both servers read. llama-cpp-python ignores it on its other route."""
        if ask.api == "chat":
            return {"response_format": {"type": "json_object", "schema": schema}}
        return {"json_schema": schema}

    def grammar_keys(self, ask: Ask, grammar: str) -> dict[str, Any]:  # noqa: ARG002 - all routes take it
        """GBNF."""
        return {"grammar": grammar}

    def reader(self, api: str) -> Reader:
        """A reader for one answer."""
        return LlamaServerReader() if api == "native" else super().reader(api)

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """llama-server wants `content`, llama-cpp-python `input`."""
        return {"input": text} if path.startswith("/extras") else {"content": text, "add_special": True}
