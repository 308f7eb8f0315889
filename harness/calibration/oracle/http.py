"""Just enough HTTP/1.1 for the oracle: bytes in, requests out, answers as bytes. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import orjson

LAST_CHUNK = b"0\r\n\r\n"


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


def take_request(inbox: bytearray) -> Request | None:
    """Remove the first whole request from `inbox`; None while its last byte is missing.

    Raises:
        BadRequestError: not HTTP/1.x, or a chunked body (411); the connection is then useless.
    """
    end = inbox.find(b"\r\n\r\n")
    if end < 0:
        return None
    method, path, headers = _parse_head(bytes(inbox[:end]))
    if "transfer-encoding" in headers:
        raise BadRequestError(411, "send Content-Length, not a chunked body")
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit():
        raise BadRequestError(400, f"Content-Length is not a number: {length[:80]!r}")
    whole = end + 4 + int(length)
    if len(inbox) < whole:
        return None
    body = bytes(inbox[end + 4 : whole])
    del inbox[:whole]
    return Request(method, path.partition("?")[0], headers, body)


def _parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400, f"not an HTTP/1.1 request line: {first[:80]!r}")
    fields = (line.partition(":") for line in lines)
    return parts[0], parts[1], {name.strip().lower(): value.strip() for name, _, value in fields}


def answer(status: int, body: bytes, content_type: str = "application/json") -> bytes:
    """A whole answer with Content-Length."""
    reason = HTTPStatus(status).phrase
    head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode("latin-1") + body


def json_answer(data: object, status: int = 200) -> bytes:
    """A whole JSON answer."""
    return answer(status, orjson.dumps(data))


def error_answer(error: BadRequestError) -> bytes:
    """An error body in OpenAI's form, as vLLM sends it."""
    words = {"message": str(error), "type": HTTPStatus(error.status).phrase, "code": error.status}
    return json_answer({"error": words}, error.status)


def stream_head(request_id: str) -> bytes:
    """Status line and headers of an event stream in chunks."""
    return (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
        f"x-request-id: {request_id}\r\ntransfer-encoding: chunked\r\n\r\n"
    ).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
