"""URLs as they may be shown."""

from urllib.parse import urlsplit


def without_secrets(url: str) -> str:
    """Without user, password, query and fragment, each of which may be one.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    _ = parts.port
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
