"""vLLM's additions to the OpenAI dialect (read in vLLM 0.32)."""

import re
from typing import Any

from harness.backends.openai_compat import OpenAiWire
from harness.backends.wire import MAX_DETAIL_CHARS, Ask


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


_FINGERPRINT = re.compile(r"vllm-\S+?((?:-(?:tp|pp|dp)\d{1,4})*)(?:-ep)?-(?:[0-9a-f]{8}|nohash)", re.ASCII)
_DEGREE = re.compile(r"(tp|pp|dp)(\d+)")


def gpus_by_fingerprint(said: object) -> tuple[int, int] | None:
    """GPUs of one copy and of all copies, by `vllm-0.32.0-tp2-dp2-1a2b3c4d`, where a degree of 1 is left out; None: it
    is none of vLLM's. `--fingerprint-mode hash` leaves all of them out: that reads as one GPU.
    """
    found = _FINGERPRINT.fullmatch(said) if isinstance(said, str) and len(said) < MAX_DETAIL_CHARS else None
    if found is None:
        return None
    degrees = {name: int(degree) or 1 for name, degree in _DEGREE.findall(found[1])}
    parallel = degrees.get("tp", 1) * degrees.get("pp", 1)
    return parallel, parallel * degrees.get("dp", 1)
