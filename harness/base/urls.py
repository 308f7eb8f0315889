"""URLs as they may be shown, and the host and port in what a user names."""

from urllib.parse import urlsplit

_MOST_PORT, _PORT_DIGITS = 65535, 5


def without_secrets(url: str) -> str:
    """Without user, password, query and fragment, each of which may be one.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    _ = parts.port
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def host_and_port(text: str) -> tuple[str, int] | None:
    """`HOST:PORT`, or `PORT` with an empty host; None where the port is none or no system could look the host up."""
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or len(port) > _PORT_DIGITS or not 1 <= int(port) <= _MOST_PORT:
        return None
    try:
        host.strip("[]").encode("idna")
    except UnicodeError:
        return None
    return host, int(port)
