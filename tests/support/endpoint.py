"""An endpoint on loopback of which a test says what each route answers; all else is 404.

with Endpoint({"/info": {"router": "..."}}, post=lambda call: served(call, prompt_tokens=80)) as server:
    server.url      # http://127.0.0.1:41234
    server.calls    # every POST, as a Call
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from loopback import Loopback


@dataclass(frozen=True)
class Call:
    """A POST."""

    path: str
    body: dict[str, Any]
    request_id: str | None

    @property
    def text(self) -> str:
        """All of the prompt."""
        if "messages" in self.body:
            return "".join(message["content"] for message in self.body["messages"])
        return str(self.body.get("prompt") or self.body.get("inputs") or self.body.get("content") or "")


@dataclass(frozen=True)
class Reply:
    """An answer, its body in one piece."""

    status: int = 200
    body: Any = b""  # an object is sent as JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    after_s: float = 0.0


NOT_FOUND = Reply(404, {"detail": "Not Found"})
LISTED = {"data": [{"id": "m"}]}


def served(call: Call, *, prompt_tokens: int = 50, tokens: int | None = None, **more: Any) -> Reply:
    """A faultless stream of the OpenAI route that was asked; `tokens` ends it before what was asked for. No other."""
    if "completions" not in call.path:
        return NOT_FOUND
    n = call.body["max_tokens"] if tokens is None else tokens
    events: list[Any] = []
    for i in range(n):
        finish = "length" if i == n - 1 else None
        said = {"delta": {"content": " w"}} if "messages" in call.body else {"text": " w"}
        events.append({"choices": [{"index": 0, "finish_reason": finish, **said}]})
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": n, "total_tokens": prompt_tokens + n}
    lines = [*(json.dumps(event) for event in [*events, {"choices": [], "usage": usage}]), "[DONE]"]
    body = "".join(f"data: {line}\n\n" for line in lines).encode()
    headers = {"content-type": "text/event-stream", **more.pop("headers", {})}
    return Reply(200, body, headers, **more)


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        answer = self.server.gets.get(self.path, NOT_FOUND)
        self._send(answer if isinstance(answer, Reply) else Reply(body=answer))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        call = Call(self.path, body, self.headers.get("x-request-id"))
        self.server.calls.append(call)
        self._send(self.server.post(call))

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.after_s)
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        try:
            self.send_response_only(reply.status)  # no header of its own
            for name, value in {"content-length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # the client went away


class Endpoint(Loopback):
    """Answers what the test says."""

    def __init__(
        self, gets: Mapping[str, Any] | None = None, post: Callable[[Call], Reply] = served, *, lists: bool = True
    ) -> None:
        super().__init__(_Handler)
        self.gets: dict[str, Any] = ({"/v1/models": LISTED} if lists else {}) | dict(gets or {})
        self.post = post
        self.asked: list[str] = []  # by GET
        self.calls: list[Call] = []

    def generations(self) -> list[Call]:
        """The POSTs that ask for an answer."""
        return [call for call in self.calls if "completions" in call.path or "generate" in call.path]
