"""Every dialect's answers as its server sends them, for the one contract that all of them keep."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Event = dict[str, Any]
PROMPT_TOKENS = 7


def _sse(data: Event) -> bytes:
    return b"data: " + json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Dialect:
    """One route of one server. Functions give bytes on the wire."""

    backend: str
    api: str
    token: Callable[[str], bytes]
    last: Callable[[str, int], bytes]  # the last token's text, tokens in all: token, finish and counts
    error: bytes
    whole: Event
    error_words: str = "out of memory"
    finish: str = "length"
    empty_text_is_token: bool = True
    overload: tuple[bytes, ...] = ()  # a refusal inside a 200 stream, where the server has one

    def __str__(self) -> str:
        return f"{self.backend}-{self.api}"


def _text(text: str, finish: Any, **more: Any) -> Event:
    return {
        "id": "", "object": "text_completion",
        "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}], **more,
    }  # fmt: skip


def _delta(delta: Event, finish: str | None, **more: Any) -> Event:
    return {
        "id": "", "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **more,
    }  # fmt: skip


def _usage(tokens: int) -> Event:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}


def _usage_chunk(tokens: int, **more: Any) -> bytes:
    return _sse({"choices": [], "usage": _usage(tokens), **more})


def _whole(api: str, tokens: int) -> Event:
    text = {"message": {"role": "assistant", "content": "Hi"}} if api == "chat" else {"text": "Hi"}
    return {"choices": [{"index": 0, **text, "finish_reason": "length"}], "usage": _usage(tokens)}


def _openai(backend: str, api: str, error: Event, **more: Any) -> Dialect:
    def event(text: str, finish: str | None) -> Event:
        return _delta({"content": text}, finish) if api == "chat" else _text(text, finish)

    return Dialect(
        backend,
        api,
        token=lambda text: _sse(event(text, None)),
        last=lambda text, n: _sse(event(text, "length")) + _usage_chunk(n),
        error=_sse({"error": error}),
        whole=_whole(api, 2),
        **more,
    )


_VLLM_ERROR = {"message": "out of memory", "type": "InternalServerError", "param": None, "code": 500}
_LLAMA_ERROR = {"code": 500, "message": "out of memory", "type": "server_error"}
_OVERLOADED = "Model is overloaded"


def _tgi_token(index: int, text: str, *, generated: str | None = None, tokens: int | None = None) -> bytes:
    details = None
    if tokens is not None:
        details = {
            "finish_reason": "length", "generated_tokens": tokens, "seed": None, "input_length": PROMPT_TOKENS,
        }  # fmt: skip
    token = {"id": 5, "text": text, "logprob": -0.5, "special": False}
    return _sse({"index": index, "token": token, "generated_text": generated, "details": details})


def _tgi_chat(text: str, finish: str | None) -> bytes:
    return _sse(_delta({"role": "assistant", "content": text}, finish, usage=None))


_TIMINGS = {"cache_n": 3, "prompt_n": 4, "prompt_ms": 40.0, "predicted_n": 2, "predicted_ms": 20.0}


def _llama_native(text: str) -> bytes:
    return _sse({"index": 0, "content": text, "tokens": [5], "stop": False, "id_slot": 0})


def _llama_end(tokens: int, content: str = "") -> Event:
    return {
        "index": 0, "content": content, "tokens": [], "stop": True, "stop_type": "limit", "id_slot": 0,
        "tokens_predicted": tokens, "tokens_evaluated": PROMPT_TOKENS, "timings": _TIMINGS,
    }  # fmt: skip


_SGLANG_ERROR = {"object": "error", "message": "out of memory", "type": "INTERNAL", "param": None, "code": 500}


def _sglang_chat(text: str | None, finish: str | None) -> bytes:
    said = {"reasoning_content": None} | ({} if text is None else {"content": text})
    return _sse(_delta(said, finish, matched_stop=None))


DIALECTS = (
    _openai("sglang", "completions", _SGLANG_ERROR),
    Dialect(
        "sglang", "chat",
        token=lambda text: _sglang_chat(text, None),
        last=lambda text, n: _sglang_chat(text, None) + _sglang_chat(None, "length") + _usage_chunk(n),
        error=_sse({"error": _SGLANG_ERROR}),
        whole=_whole("chat", 2),
        empty_text_is_token=False,  # it sends none
    ),
    _openai("openai", "completions", _VLLM_ERROR, empty_text_is_token=False),
    _openai("openai", "chat", _VLLM_ERROR, empty_text_is_token=False),
    _openai("vllm", "completions", _VLLM_ERROR),
    _openai("vllm", "chat", _VLLM_ERROR),
    _openai("llama_cpp", "completions", _LLAMA_ERROR, empty_text_is_token=False),
    _openai("llama_cpp", "chat", _LLAMA_ERROR, empty_text_is_token=False),
    Dialect(
        "llama_cpp", "native",
        token=_llama_native,
        last=lambda text, n: _llama_native(text) + _sse(_llama_end(n)),
        error=_sse({"error": _LLAMA_ERROR}),
        whole=_llama_end(2, "Hi"),
    ),
    Dialect(
        "tgi", "native",
        token=lambda text: _tgi_token(1, text),
        last=lambda text, n: _tgi_token(n, text, generated="all", tokens=n),
        error=_sse({"error": "out of memory", "error_type": "generation"}),
        error_words="generation: out of memory",
        whole={
            "generated_text": "Hi",
            "details": {"finish_reason": "length", "generated_tokens": 2, "seed": None, "prefill": [], "tokens": []},
        },
        overload=(_sse({"error": _OVERLOADED, "error_type": "overloaded"}),),
    ),
    Dialect(
        "tgi", "completions",
        token=lambda text: _sse(_text(text, "")),
        last=lambda text, n: _sse(_text(text, "length", usage=_usage(n))),
        error=_sse({"error": {"message": "out of memory", "http_status_code": 422}}),
        whole=_whole("completions", 2),
        overload=(_sse({"error": {"message": _OVERLOADED, "http_status_code": 422}}), DONE),
    ),
    Dialect(
        "tgi", "chat",
        token=lambda text: _tgi_chat(text, None),
        last=lambda text, n: _tgi_chat(text, "length") + _usage_chunk(n),
        error=_sse({"error": {"message": "out of memory", "http_status_code": 422}}),
        whole=_whole("chat", 2),
        overload=(_sse({"error": {"message": _OVERLOADED, "http_status_code": 422}}), DONE),
    ),
)  # fmt: skip
