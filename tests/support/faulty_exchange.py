"""One request to the faulty server, and the pieces its answers are made of."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TOKENS = 5  # where the request does not say
TOKEN_GAP_S = 0.001
_TEXTS = {401: "Unauthorized", 404: "Not Found", 422: "Unprocessable", 429: "Too Many", 500: "Error", 503: "Busy"}


@dataclass
class Exchange:
    """One request, and the socket to answer it on."""

    sock: socket.socket
    way: str
    method: str
    path: str  # without the way
    value: str | None  # of the way
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]  # {} where it is no JSON object
    count: int = 0  # generations asked for so far, this one included
    keeps_alive: bool = True
    free_from: list[float] = field(default_factory=lambda: [0.0])  # the server's, shared by all its requests

    @property
    def tokens(self) -> int:
        parameters = self.body.get("parameters") or {}
        return self.body.get("max_tokens") or parameters.get("max_new_tokens") or TOKENS

    def number(self, default: float) -> float:
        return default if self.value is None else float(self.value)

    def k(self, default: int = 2) -> int:
        return int(self.number(default))

    def head(self, status: int = 200, kind: str = "text/event-stream", **more: object) -> None:
        fields = {"content-type": kind, **more}
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(f"HTTP/1.1 {status} {_TEXTS.get(status, 'OK')}\r\n{lines}\r\n".encode())

    def whole(self, status: int, body: bytes, kind: str = "application/json", **more: object) -> None:
        self.head(status, kind, content_length=len(body), **more)
        self.sock.sendall(body)

    def chunk(self, data: bytes) -> None:
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def stream(self, events: Iterable[bytes]) -> None:
        """Headers, then each event in a chunk of its own; the body is left open."""
        self.head(transfer_encoding="chunked")
        for event in events:
            self.chunk(event)
            time.sleep(TOKEN_GAP_S)

    def end(self) -> None:
        self.sock.sendall(b"0\r\n\r\n")

    def wait_for_client(self) -> None:
        """Say nothing until the client goes away, or the server stops."""
        self.keeps_alive = False
        while self.sock.recv(65536):
            pass

    def event(self, text: str | None, *, finish: str | None = None, tokens_so_far: int | None = None) -> bytes:
        """A token's event, in the form that the path asks for."""
        if self.path.endswith("/generate_stream"):
            return self._tgi_event(text, finish, tokens_so_far)
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        if "chat" in self.path:
            choice["delta"] = {} if text is None else {"content": text}
        else:
            choice["text"] = text or ""
        return data({"id": "f", "object": "chunk", "created": 0, "model": "faulty", "choices": [choice]})

    def _tgi_event(self, text: str | None, finish: str | None, tokens_so_far: int | None) -> bytes:
        details = None
        if finish is not None:
            n = self.tokens if tokens_so_far is None else tokens_so_far
            details = {"finish_reason": finish, "generated_tokens": n, "seed": None, "input_length": 7}
        token = {"id": 1, "text": text or "", "logprob": None, "special": False}
        generated = None if finish is None else "text"
        return data({"index": 1, "token": token, "generated_text": generated, "details": details})

    def role(self) -> bytes:
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return data({"id": "f", "object": "chunk", "created": 0, "model": "faulty", "choices": [choice]})

    def token_events(self, count: int | None = None, text: str = " tok") -> list[bytes]:
        """`count` tokens; with None all that were asked for, the last with its finish reason."""
        if count is not None:
            return [self.event(text)] * count
        return [self.event(text)] * (self.tokens - 1) + [self.event(text, finish="length")]

    def usage(self, tokens: int | None = None) -> bytes:
        n = self.tokens if tokens is None else tokens
        counts = {"prompt_tokens": 7, "completion_tokens": n, "total_tokens": 7 + n}
        return data({"id": "f", "object": "chunk", "created": 0, "model": "faulty", "choices": [], "usage": counts})

    def good_events(self) -> list[bytes]:
        """A whole stream as it should be, without `[DONE]` in TGI's native form."""
        native = self.path.endswith("/generate_stream")
        return self.token_events() + ([] if native else [self.usage(), DONE])


def data(value: object) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
