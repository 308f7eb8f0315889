"""llama.cpp's two servers, llama-server and llama-cpp-python, over their OpenAI routes."""

from __future__ import annotations

from typing import Any

from harness.backends.openai_compat import OpenAiWire
from harness.backends.wire import Ask


class LlamaCppWire(OpenAiWire):
    """llama.cpp: lengths through `ignore_eos` (llama-server) or `min_tokens` (llama-cpp-python).

    Each server ignores the other's key. `repeat_penalty` 1 undoes llama-cpp-python's default of 1.1, and
    `cache_prompt` false llama-server's reuse of the prefix.
    """

    name = "llama_cpp"
    tokenize_paths = ("/tokenize", "/extras/tokenize/count")

    def engine_keys(self, ask: Ask) -> dict[str, Any]:
        """Sampling made explicit, prefix reuse off, length forced."""
        keys: dict[str, Any] = {"repeat_penalty": 1.0, "cache_prompt": False}
        if ask.force_length:
            keys |= {"ignore_eos": True, "min_tokens": ask.max_tokens}
        return keys

    def tokenize_body(self, path: str, text: str, model: str | None) -> dict[str, Any]:  # noqa: ARG002
        """llama-server wants `content`, llama-cpp-python `input`."""
        return {"input": text} if path.startswith("/extras") else {"content": text, "add_special": True}
