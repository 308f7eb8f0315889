"""Just enough HTTP/1.1 for the oracle: bytes in, requests out, answers as bytes. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024  # a 64k-token prompt is about 256 kB
LAST_CHUNK = b"0\r\n\r\n"

_REASONS = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    411: "Length Required", 413: "Content Too Large",
}  # fmt: skip


class BadRequestError(Exception):
    """The client's request cannot be served; `status` says how it is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request. Header names are lower case."""

    method: str
    path: str  # without the query
    headers: Mapping[str, str]
    body: bytes

    @property
    def wants_close(self) -> bool:
        """True when the client will not use the connection again."""
        return self.headers.get("connection", "").lower() == "close"


def take_request(inbox: bytearray) -> Request | None:
    """Remove the first whole request from `inbox`; None while its last byte is missing.

    Raises:
        BadRequestError: not HTTP/1.x, a chunked body (411), too long (413); the connection is then useless.
    """
    end = inbox.find(b"\r\n\r\n")
    if end < 0:
        if len(inbox) > MAX_HEAD_BYTES:
            raise BadRequestError(413, "request head too long")
        return None
    method, path, headers = _parse_head(bytes(inbox[:end]))
    length = _body_length(headers)
    if len(inbox) < end + 4 + length:
        return None
    body = bytes(inbox[end + 4 : end + 4 + length])
    del inbox[: end + 4 + length]
    return Request(method, path.partition("?")[0], headers, body)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400, f"not an HTTP/1.1 request line: {first[:80]!r}")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(400, f"not a header line: {line[:80]!r}")
        headers[name.strip().lower()] = value.strip()
    if parts[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return parts[0], parts[1], headers


def _body_length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequestError(411, "send Content-Length, not a chunked body")
    text = headers.get("content-length", "0")
    if not text.isascii() or not text.isdigit():
        raise BadRequestError(400, f"Content-Length is not a number: {text[:80]!r}")
    if int(text) > MAX_BODY_BYTES:
        raise BadRequestError(413, f"body over {MAX_BODY_BYTES} bytes")
    return int(text)


def expects_continue(inbox: bytearray) -> bool:
    """True when a whole head is here and waits for `100 Continue` before it sends its body (curl does)."""
    head, separator, body = bytes(inbox[:MAX_HEAD_BYTES]).partition(b"\r\n\r\n")
    return bool(separator) and not body and b"expect: 100-continue" in head.lower()


def answer(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole answer with Content-Length."""
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def json_answer(data: object, status: int = 200) -> bytes:
    """A whole JSON answer."""
    return answer(status, orjson.dumps(data))


def error_answer(status: int, message: str) -> bytes:
    """An error body in OpenAI's form, as vLLM sends it."""
    return json_answer({"error": {"message": message, "type": _REASONS[status], "code": status}}, status)


def stream_head(request_id: str) -> bytes:
    """Status line and headers of an event stream in chunks."""
    return (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
        f"x-request-id: {request_id}\r\ntransfer-encoding: chunked\r\n\r\n"
    ).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
