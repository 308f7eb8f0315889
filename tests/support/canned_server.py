"""A server on loopback that answers every POST alike.

with canned({"error": "no"}, 500) as server:
    server.url   # http://127.0.0.1:41234
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Canned(ThreadingHTTPServer):
    """Answers every POST alike, `/v1/models` with one model, and keeps the requests' headers and bodies."""

    daemon_threads = True

    def __init__(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _CannedHandler)
        self.status, self.body, self.headers = status, body, headers
        self.authorizations: list[str | None] = []
        self.bodies: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _CannedHandler(BaseHTTPRequestHandler):
    server: Canned

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(200, json.dumps({"data": [{"id": "some-model"}]}).encode(), {})

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer(self.server.status, self.server.body, self.server.headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.server.authorizations.append(self.headers.get("authorization"))
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def canned(body: Any, status: int = 200, **headers: str) -> Iterator[Canned]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with Canned(status, data, headers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
