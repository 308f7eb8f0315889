"""What is known of a refusal beside the server's own words: the path, where it points to, its limits. No I/O."""

from urllib.parse import urljoin

from harness.backends.faults import THE_LIMIT
from harness.base.urls import without_secrets
from harness.load.wire.exchange import Exchange
from harness.load.wire.headers import limits

MOST_CHARS = 200  # of an address
NO_SUCH_ROUTE = (404, 405)
TOO_MANY = 429


def with_what_is_known(exchange: Exchange, path: str, words: str | None) -> str | None:
    """A failed answer's own `words` after what its status and its headers tell of the request to `path`."""
    status = exchange.status or 0
    if 300 <= status < 400:
        location = exchange.headers.get("location")
        return f"{path} {points_to(str(location), path) if location else 'redirects, and does not say where'}"
    if status in NO_SUCH_ROUTE:
        return f"{path}: {words}" if words else path
    if status == TOO_MANY:
        limit, pause_s = limits(exchange.headers), exchange.retry_after_s
        if words is None and limit is None and pause_s is None:
            return None
        said = f"{words or 'too many'}{THE_LIMIT}{limit}" if limit else words or "too many"
        return said if pause_s is None else f"{said}; asks to wait {pause_s:.3g} s"
    return words


def points_to(location: str, path: str) -> str:
    """Where a redirect points to, without what may be a secret: user, password, query."""
    try:
        return f"redirects to {without_secrets(urljoin(path, location))[:MOST_CHARS]}"
    except ValueError:
        return "redirects to what is no address"
