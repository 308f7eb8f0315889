"""Servers that say who they are as an engine does, each by routes of its own, and serve whatever they are asked."""

from __future__ import annotations

import json
from typing import Any

from faulty_exchange import DONE, Exchange, data
from faulty_server import FaultyServer

PROMPT_TOKENS = 4000  # that every prompt is counted as


class Double(FaultyServer):
    """Answers the routes of `said`, any other with 404, and every generation with the tokens asked for."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__()
        self._said = said

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/double"

    def answer(self, exchange: Exchange) -> None:
        with self._lock:
            self.requests.append(exchange)
        if exchange.path in self._said:
            exchange.whole(200, json.dumps(self._said[exchange.path]).encode())
        elif exchange.method == "GET" or "token" in exchange.path:
            exchange.whole(404, b"{}")
        else:
            exchange.stream(_events(exchange))
            exchange.end()


def _events(exchange: Exchange) -> list[bytes]:
    counts = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": exchange.tokens}
    usage = data({"id": "d", "object": "chunk", "choices": [], "usage": counts})
    native = exchange.path.endswith("/generate_stream")
    return [*exchange.token_events(), *([] if native else [usage, DONE])]


def vllm(root: str | None, served: str = "bench", max_model_len: int | None = 8192) -> dict[str, Any]:
    """`root` None: a version or a gateway that leaves it out."""
    model = {"id": served, "object": "model", "owned_by": "vllm", "max_model_len": max_model_len, "parent": None}
    return {
        "/v1/models": {"object": "list", "data": [model if root is None else {**model, "root": root}]},
        "/version": {"version": "0.32.0"},
    }


def llama_server(path: str, ftype: str | None, parameters: int | None, served: str = "bench") -> dict[str, Any]:
    meta = {"vocab_type": 2, "n_ctx_train": 131072, "n_params": parameters, "ftype": ftype}
    return {
        "/v1/models": {"object": "list", "data": [{"id": served, "owned_by": "llamacpp", "meta": meta}]},
        "/props": {
            "build_info": "b9603-abc", "total_slots": 4, "model_path": path,
            "default_generation_settings": {"id": 0, "n_ctx": 4096, "params": {}},
        },
    }  # fmt: skip


def tgi(model_id: str) -> dict[str, Any]:
    """As 3.3 says it: nothing of the quantisation."""
    info = {
        "model_id": model_id, "model_sha": None, "router": "text-generation-router", "version": "3.3.7",
        "max_input_tokens": 8191, "max_total_tokens": 8192, "max_concurrent_requests": 512, "sha": None,
    }  # fmt: skip
    return {"/info": info, "/v1/models": {"object": "list", "data": [{"id": model_id, "object": "model"}]}}


def ollama(tag: str, **info: Any) -> dict[str, Any]:
    details = {"family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_K_M"}
    model_info = {"general.architecture": "llama", "llama.context_length": 131072, **info}
    return {
        "/api/version": {"version": "0.12.0"},
        "/v1/models": {"object": "list", "data": [{"id": tag, "object": "model", "owned_by": "library"}]},
        "/api/show": {"details": details, "parameters": "num_ctx 8192", "model_info": model_info},
    }
