"""`--header`: parsed strictly, and never quoted, since a value is likely a secret and a slip may make it a name."""

import re
from collections.abc import Sequence

from harness.base.errors import UsageError

_PAIR = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*[:=](.*)", re.DOTALL)  # the first of the two parts them
_OURS = {
    "host": "it follows from --url",
    "content-length": "it follows from the body",
    "transfer-encoding": "the body has a length",
    "connection": "connections are kept, as a client of the server keeps them",
    "keep-alive": "connections are kept, as a client of the server keeps them",
    "proxy-connection": "connections are kept, as a client of the server keeps them",
    "te": "the answer comes as it is",
    "trailer": "the body has none",
    "upgrade": "the load is HTTP/1.1",
    "expect": "nothing is waited for before the body",
    "x-request-id": "every request has its own, by which its row is found",
}
_EXAMPLE = "--header 'Authorization: Bearer ...' or --header X-Team=search"


def parse_headers(pairs: Sequence[str], *, has_key: bool) -> dict[str, str]:
    """Names and values of `Name: value` or `Name=value`; `has_key`: --api-key-env gives the Authorization.

    Raises:
        UsageError: no such pair, what no header can carry, a name that is ours or is given twice.
    """
    headers: dict[str, str] = {}
    seen = {"authorization"} if has_key else set()
    for number, pair in enumerate(pairs, start=1):
        which = "--header" if len(pairs) == 1 else f"--header, the {number}. of them,"
        found = _PAIR.fullmatch(pair)
        value = found[2].strip(" \t") if found else ""
        if found is None or (value and not value.strip("=")):
            raise UsageError(f"{which} is no `Name: value`", hint=_EXAMPLE)
        name = found[1]
        _check(name, value)
        if name.lower() in seen:
            other = "--api-key-env gives it too" if has_key and name.lower() == "authorization" else "it is given twice"
            raise UsageError(f"--header {name}: {other}", hint="each header once")
        seen.add(name.lower())
        headers[name] = value
    return headers


def _check(name: str, value: str) -> None:
    if name.lower() in _OURS:
        raise UsageError(f"--header {name} cannot be given: {_OURS[name.lower()]}", hint="leave it out")
    if not value:
        raise UsageError(f"--header {name} has no value", hint="is a variable of the shell empty?")
    if not (value.isascii() and value.isprintable()):
        raise UsageError(
            f"the value of --header {name} has characters that no HTTP header can carry",
            hint="is there a line break, a quotation mark or a letter beyond ASCII in it?",
        )
