"""The one place where secrets are struck out of what a server says: it may quote the key that it refuses. No I/O.

Struck out is every value that a request's headers carry, and each of its words, in any case and in the forms in which
servers and proxies quote: as it is, as base64, percent-encoded, escaped for JSON or HTML, in hexadecimal. A part of
it is struck out like the whole: quotes are cut short, and masked in the middle (`sk-ab***wxyz`).
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

STRUCK = "***"
PART_CHARS = 6  # of a secret in a row, to be known for a part of it; shorter ones stand in any text
CUT_CHARS = 100  # a text as long as this may have been cut in the middle of a quote
LEAST_CHARS = 3  # shorter values ("1", "no") are no secrets, and would spoil every message
_PUBLIC = frozenset({"accept", "accept-language", "accept-encoding", "cache-control", "content-type", "user-agent"})
_SCHEMES = frozenset({"bearer", "basic", "digest", "token", "apikey", "api-key", "key", "negotiate"})
_MASKED = re.compile(  # what stands before a mask is looked at from its beginning only, so that the time is linear
    r"((?<![\w\-+/=.%])[\w\-+/=.%]*?|)(?:[*\u2022\u2026]+|\.{3,}|[xX]{4,})([\w\-+/=%]*)"
)
_WORD = re.compile(r"[0-9a-z]")


class Secrets:
    """What must never be written down of one endpoint: the values of the headers that are sent to it."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        values = [value for name, value in headers.items() if name.lower() not in _PUBLIC]
        plain = {part for value in values for part in _parts_of(value)}
        self._plain = sorted((part.lower() for part in plain), key=len, reverse=True)
        self._forms = sorted({form.lower() for part in plain for form in _forms_of(part)}, key=len, reverse=True)
        self._pages = [form.encode() for form in self._forms if len(form) >= PART_CHARS]
        self._pieces = {form[at : at + PART_CHARS] for form in self._forms for at in range(len(form) - PART_CHARS + 1)}

    def strike(self, text: str | None) -> str | None:
        """A short text, such as an error's words, without them."""
        if not text or not self._plain:
            return text
        text = _MASKED.sub(self._unmasked, text)
        lower = text.lower() if len(text.lower()) == len(text) else text
        marked = bytearray(len(text))
        for at in range(len(lower) - PART_CHARS + 1):
            if lower[at : at + PART_CHARS] in self._pieces:
                marked[at : at + PART_CHARS] = b"\1" * PART_CHARS
        for short in (form for form in self._forms if len(form) < PART_CHARS):
            for at in _words_at(lower, short):
                marked[at : at + len(short)] = b"\1" * len(short)
        cut = next((n for n in range(PART_CHARS - 1, LEAST_CHARS - 1, -1) if self._begins(lower[-n:])), 0)
        if cut and len(lower) >= CUT_CHARS:
            marked[-cut:] = b"\1" * cut
        return _struck(text, marked)

    def struck_out_of(self, page: bytes) -> bytes:
        """A page of any length without them; costs next to nothing where there are none."""
        lower = page.lower()
        if not any(form in lower for form in self._pages):
            return page
        return (self.strike(page.decode("utf-8", "surrogateescape")) or "").encode("utf-8", "surrogateescape")

    def _begins(self, text: str) -> bool:
        return any(part.startswith(text) for part in self._plain)

    def _unmasked(self, found: re.Match[str]) -> str:
        """`sk-ab***wxyz` gives away both ends."""
        before, after = found[1].lower(), found[2].lower()
        is_ours = any(
            (before and part.startswith(before)) or (after and part.endswith(after)) for part in self._plain
        )  # fmt: skip
        return STRUCK if is_ours else found[0]


def _parts_of(value: str) -> Iterator[str]:
    """A value and its words; what `Basic` packs is user and password."""
    words = [word for word in re.split(r"[\s,;]+", value) if word.lower() not in _SCHEMES]
    for word in [value.removeprefix(value[: value.find(words[0])]), *words] if words else []:
        yield from (part for part in (word, word.partition("=")[2]) if len(part.strip("=")) >= LEAST_CHARS)
    for word in words:
        try:
            packed = base64.b64decode(word, validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            continue
        if packed.isprintable():
            yield from (part for part in packed.split(":", 1) if len(part) >= LEAST_CHARS)


def _forms_of(part: str) -> Iterator[str]:
    data = part.encode()
    yield part
    yield quote(part, safe="")
    yield "".join(f"%{byte:02x}" for byte in data)
    yield html.escape(part)
    yield part.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/")
    yield "".join(char if char.isalnum() else f"\\u{ord(char):04x}" for char in part)
    yield data.hex()
    if len(data) < PART_CHARS:
        return
    for shift in range(3):  # within a longer text that was packed whole
        packed = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = packed[(0, 2, 3)[shift] : len(packed) - (1 if (shift + len(data)) % 3 else 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _words_at(text: str, word: str) -> Iterator[int]:
    """Where a short secret stands as a word of its own."""
    at = text.find(word)
    while at >= 0:
        around = (text[at - 1 : at] if at else "") + text[at + len(word) : at + len(word) + 1]
        if not _WORD.search(around):
            yield at
        at = text.find(word, at + 1)


def _struck(text: str, marked: bytearray) -> str:
    if not any(marked):
        return text
    out, was = [], 0
    for char, mark in zip(text, marked, strict=True):
        if not mark:
            out.append(char)
        elif not was:
            out.append(STRUCK)
        was = mark
    return "".join(out)
