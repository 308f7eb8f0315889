"""vLLM's additions to the OpenAI dialect (read in vLLM 0.32)."""

from typing import Any

from harness.backends.openai_compat import OpenAiWire
from harness.backends.wire import Ask


class VllmWire(OpenAiWire):
    """vLLM: exact lengths through `ignore_eos` and `min_tokens`; an event without text is a token."""

    name = "vllm"
    empty_is_token = True

    def sampling_keys(self, ask: Ask) -> dict[str, Any]:
        """Where nothing is said vLLM takes them from the model's generation_config.json."""
        keys = super().sampling_keys(ask)
        return keys | ({"top_k": -1, "min_p": 0, "repetition_penalty": 1} if ask.temperature > 0 else {})

    def engine_keys(self, ask: Ask) -> dict[str, Any]:
        """`ignore_eos` also keeps the model's extra end-of-sequence ids out of the stop list.

        `cache_salt` keeps a request from another's prefix cache, without starting the server again.
        """
        keys: dict[str, Any] = {}
        if ask.force_length:
            keys |= {"ignore_eos": True, "min_tokens": ask.max_tokens}
        return keys | ({"cache_salt": ask.cache_salt} if ask.cache_salt else {})

    def grammar_keys(self, ask: Ask, grammar: str) -> dict[str, Any]:  # noqa: ARG002 - both routes take it
        """A grammar in EBNF or GBNF."""
        return {"structured_outputs": {"grammar": grammar}}

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """The completion form of POST /tokenize."""
        return {"prompt": text, "add_special_tokens": True} | ({"model": model} if model else {})
