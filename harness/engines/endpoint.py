"""What a user says of an endpoint on the command line: its URL, and the variable that holds its key."""

import os
from urllib.parse import urlsplit

from harness.base.errors import UsageError

_EXAMPLE = "--url http://127.0.0.1:8000"


def endpoint_url(text: str) -> str:
    """The URL without slashes at its end. Nothing that may be a secret is repeated in an error.

    Raises:
        UsageError: no http(s) URL, or one with a user, a password, `?` or `#`.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:  # a port of 99999, a bracket that is not closed
        shown = text if "@" not in text else "..."  # there may be a password in it
        raise UsageError(f"--url `{shown}`: {error}", hint=_EXAMPLE) from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"--url {parts.scheme}://{parts.hostname}...: user, password, ? and # do not belong there",
            hint="a key goes in with --api-key-env NAME",
        )
    is_plain = text.isascii() and text.isprintable() and " " not in text
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        raise UsageError(f"--url {text!r} is not an http:// or https:// URL", hint=_EXAMPLE)
    return text.rstrip("/")


def api_key_in(variable: str | None) -> str | None:
    """The key in an environment variable; None where no variable is named.

    Raises:
        UsageError: the variable is not there, is empty, or holds what no HTTP header can carry.
    """
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        raise UsageError(
            f"--api-key-env {variable}: no such environment variable, or it is empty", hint=f"export {variable}=..."
        )
    if not (key.isascii() and key.isprintable() and key == key.strip()):
        raise UsageError(
            f"the key in {variable} (--api-key-env) has characters that no HTTP header can carry",
            hint="is there a line break, a space or a quotation mark too many in it?",
        )
    return key
