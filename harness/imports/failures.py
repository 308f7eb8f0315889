"""How a request of another tool failed: its words, and which of our codes they mean."""

import re

_STATUS = re.compile(r"(?:HTTP|status|code|error)\D{0,16}\b([45]\d\d)\b", re.IGNORECASE)
_WORDS = (
    ("timeout", re.compile(r"time[d ]?\s?-?out|deadline", re.IGNORECASE)),
    ("reset", re.compile(r"reset|disconnect|broken pipe|closed by|incomplete", re.IGNORECASE)),
    ("connect", re.compile(r"connect|refused|unreachable|resolve|getaddrinfo", re.IGNORECASE)),
)
_SECRET = re.compile(r"(?<=bearer )\S+|\bsk-[\w-]{6,}|(?<=://)[^/\s@]+(?=@)", re.IGNORECASE)
FAILED = "failed"
LONGEST = 400  # characters of a tool's own words that are kept


def code_of(words: str) -> str:
    """`timeout`, `connect`, `reset`, `http_NNN`, or `failed` where the words tell none of them."""
    status = _STATUS.search(words) or re.match(r"\s*([45]\d\d)\b", words)
    if status is not None:
        return f"http_{status.group(1)}"
    return next((code for code, pattern in _WORDS if pattern.search(words)), FAILED)


def shortened(words: str) -> str:
    """The last line of a traceback, else the words, so long as people read."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    said = lines[-1] if len(lines) > 1 and lines[0].startswith("Traceback") else " ".join(lines)
    return _SECRET.sub("***", said)[:LONGEST]
