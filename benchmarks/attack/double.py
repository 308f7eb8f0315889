"""An endpoint that answers well and writes down whom; as a program, an engine that `breakeven run` can start.

    python -I double.py --port PORT          the other flags of a llama-server mean nothing to it

It has a log for each first part of its requests' paths ("to-...", "-" for none), whose lines are `came|answered
REQUEST_ID T_S`, T_S on the machine's monotonic clock. One is answered when its last byte was handed to the kernel.
Standard library only.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LOGS_VARIABLE = "XDG_DOUBLE_LOGS"  # XDG_*: a name that an engine's environment keeps
FIRST_S, TOKEN_S = 0.15, 0.02
FACTS: dict[str, Any] = {
    "/health": {"status": "ok"},
    "/v1/models": {"object": "list", "data": [{"id": "double", "object": "model"}]},
    "/props": {"build_info": "double", "total_slots": 8, "default_generation_settings": {"n_ctx": 2048}},
}


class _Handler(BaseHTTPRequestHandler):
    server: "Double"
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        place = self.path.removeprefix(f"/{self._whom()}")
        self._whole(200 if place in FACTS else 404, FACTS.get(place, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.endswith("completions"):
            self._whole(404, {})
            return
        who = self._whom(), self.headers.get("x-request-id", "-")
        self.server.note("came", *who)
        try:
            self._stream(int(body["max_tokens"]), is_chat="messages" in body)
        except OSError:
            self.close_connection = True
        else:
            self.server.note("answered", *who)

    def _whom(self) -> str:
        first = self.path.split("/")[1]
        return first if first.startswith("to-") else "-"

    def _stream(self, tokens: int, *, is_chat: bool) -> None:
        self.send_response_only(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        time.sleep(FIRST_S)
        for n in range(tokens):
            said = {"delta": {"content": " w"}} if is_chat else {"text": " w"}
            self._chunk({"choices": [{"index": 0, "finish_reason": "length" if n == tokens - 1 else None, **said}]})
            time.sleep(TOKEN_S)
        usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
        self._chunk({"choices": [], "usage": usage})
        self._bytes(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, event: object) -> None:
        self._bytes(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _bytes(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _whole(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Double(ThreadingHTTPServer):
    """Serves on a loopback port from `with` to the end of the block."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, logs: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._logs = logs
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def handle_error(self, *_: object) -> None:
        """The client went away."""

    def url(self, whom: str) -> str:
        """A base URL of its own for each `whom`, which begins with "to-"."""
        return f"http://127.0.0.1:{self.server_address[1]}/{whom}"

    def note(self, what: str, whom: str, request_id: str) -> None:
        """A whole line of that log."""
        line = f"{what} {request_id} {time.monotonic():.6f}\n"
        with (self._logs / f"{whom}.txt").open("a") as log:
            log.write(line)

    def __enter__(self) -> "Double":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


def noted(log: Path, what: str) -> dict[str, float]:
    """Which requests came, or were answered, and when."""
    lines = (line.split() for line in log.read_text().splitlines()) if log.exists() else ()
    return {words[1]: float(words[2]) for words in lines if words[0] == what}


if __name__ == "__main__":
    port = int(sys.argv[sys.argv.index("--port") + 1])
    Double(Path(os.environ[LOGS_VARIABLE]), port).serve_forever()
