"""Short questions to an engine on loopback, with the standard library and past any proxy."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

ASK_TIMEOUT_S = 5.0
_MAX_BYTES = 4 << 20  # an OpenAPI page of an engine has some 100 KB

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, timeout_s: float = ASK_TIMEOUT_S) -> bytes | None:
    """The body of a 200 answer; None for anything else, silence included."""
    try:
        with _opener.open(url, timeout=timeout_s) as answer:
            return bytes(answer.read(_MAX_BYTES)) if answer.status == 200 else None
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, http.client.HTTPException):
        return None


def ask_json(url: str, timeout_s: float = ASK_TIMEOUT_S) -> dict[str, Any]:
    """The object of a 200 answer; an empty one when there was none."""
    body = ask(url, timeout_s)
    try:
        answer = json.loads(body) if body else {}
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def first_model(base_url: str) -> str | None:
    """The id of the first entry of `/v1/models`."""
    models = ask_json(f"{base_url}/v1/models").get("data")
    if not isinstance(models, list) or not models or not isinstance(models[0], dict):
        return None
    name = models[0].get("id")
    return name if isinstance(name, str) else None
