"""Short questions to an engine on loopback, with the standard library and past any proxy."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import Any

from harness.backends.said import M, Models, read_said

ASK_TIMEOUT_S = 5.0
NO_HEADERS: Mapping[str, str] = {}
_MAX_BYTES = 4 << 20  # an OpenAPI page of an engine has some 100 KB


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: followed, it would carry the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Nowhere."""


# past any proxy: an engine on loopback or in a private network is not the proxy's business
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())


def exchange(
    url: str, timeout_s: float, headers: Mapping[str, str] = NO_HEADERS, body: dict[str, Any] | None = None
) -> tuple[int, Message, bytes]:
    """Status, headers and body, whatever the status. `body`: a POST.

    Raises:
        OSError, http.client.HTTPException: no whole answer.
    """
    data = None if body is None else json.dumps(body).encode()
    sent = {**headers, "content-type": "application/json"} if body is not None else dict(headers)
    try:
        with _opener.open(urllib.request.Request(url, data, sent), timeout=timeout_s) as answer:
            return answer.status, answer.headers, answer.read(_MAX_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read(_MAX_BYTES)


def ask(url: str, timeout_s: float = ASK_TIMEOUT_S, headers: Mapping[str, str] = NO_HEADERS) -> bytes | None:
    """The body of a 200 answer; None for anything else, silence included."""
    try:
        status, _, body = exchange(url, timeout_s, headers)
    except (OSError, http.client.HTTPException):
        return None
    return body if status == 200 else None


def ask_said(kind: type[M], url: str, timeout_s: float = ASK_TIMEOUT_S, headers: Mapping[str, str] = NO_HEADERS) -> M:
    """A 200 answer as its shape; one that says nothing when there was none."""
    return read_said(kind, ask(url, timeout_s, headers))


def first_model(base_url: str, timeout_s: float = ASK_TIMEOUT_S, headers: Mapping[str, str] = NO_HEADERS) -> str | None:
    """The name of the first model that `/v1/models` lists."""
    return ask_said(Models, f"{base_url}/v1/models", timeout_s, headers).first.id
