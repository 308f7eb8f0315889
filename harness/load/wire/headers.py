"""What headers say: those that every request carries, and what an answer's ask of its client. No I/O."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from harness.backends.wire import Headers
from harness.load.spending.pace import Allowance

OURS = {
    "User-Agent": "breakeven",
    "Accept": "text/event-stream, application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_S = 1e9  # a number above is a date, one below a pause
_RESETS = ("", "-requests", "-tokens", "-after")
_ANTHROPIC = ("requests", "tokens", "input-tokens", "output-tokens")


def head_lines(host: str, given: Mapping[str, str]) -> str:
    """The header lines of every request: ours, each replaced by the user's own of that name."""
    theirs = {name.lower() for name in given}
    lines = {"Host": host} | {name: value for name, value in OURS.items() if name.lower() not in theirs} | dict(given)
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items())


def pause_s(headers: Headers, now: datetime) -> float | None:
    """Seconds that an answer asks its client to wait; None where it says nothing that can be understood.

    `retry-after-ms`, else `Retry-After` (seconds, a date, `1s`), else when the limit that was met is reset.
    """
    asked = _milliseconds(_text(headers, "retry-after-ms"))
    if asked is None:
        asked = _seconds_or_date(_text(headers, "retry-after"), _now(headers, now))
    return _until_reset(headers, now) if asked is None else asked


def limits(headers: Headers) -> str | None:
    """The limits that an answer names, in its own words."""
    names = [f"{prefix}{kind}" for prefix in ("x-ratelimit-limit", "ratelimit-limit") for kind in _RESETS]
    said = [f"{name} {value[:40]}" for name in names if (value := _text(headers, name))]
    return ", ".join(said) or None


def _text(headers: Headers, name: str) -> str:
    value = headers.get(name)
    return str(value[0] if isinstance(value, list) else value or "").strip()


def _now(headers: Headers, now: datetime) -> datetime:
    """By the server's own clock where it tells: its dates are meant by that."""
    return _date(_text(headers, "date")) or now


def _date(text: str) -> datetime | None:
    """HTTP's own form, or RFC 3339's."""
    try:
        when = datetime.fromisoformat(text) if "T" in text and "-" in text else parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return when.replace(tzinfo=when.tzinfo or UTC)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else max(value, 0.0)


def _milliseconds(text: str) -> float | None:
    value = _number(text)
    return _duration(text) if value is None else value / 1000


def _duration(text: str) -> float | None:
    """`1s`, `300ms`, `6m0s`: numbers with their units."""
    parts = _PART.findall(text.lower())
    whole = "".join(number + unit for number, unit in parts) == text.lower().replace(" ", "")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts) if parts and whole else None


def _seconds_or_date(text: str, now: datetime) -> float | None:
    seconds = _number(text)
    if seconds is not None:
        return seconds
    when = _date(text)
    return _duration(text) if when is None else max((when - now).total_seconds(), 0.0)


def _reset(text: str, now: datetime) -> float | None:
    value = _number(text)
    if value is None or value < _EPOCH_S:
        return _seconds_or_date(text, now)
    since_epoch_s = value / 1000 if value >= _EPOCH_S * 1000 else value
    return max(since_epoch_s - now.timestamp(), 0.0)


def allowances(headers: Headers, now: datetime) -> list[Allowance]:
    """What an answer says is left of each limit that it names, where it says when that is whole again."""
    found = []
    for kind, left, limit, reset_s in _limits(headers, _now(headers, now)):
        remaining = _number(left)
        if remaining is not None and reset_s is not None:
            found.append(Allowance(kind, remaining, _number(limit), reset_s))
    return found


def _limits(headers: Headers, now: datetime) -> Iterator[tuple[str, str, str, float | None]]:
    """(of what, what is left, of how much, seconds until its reset) of each limit, in any of the usual names."""
    for prefix in ("x-ratelimit", "ratelimit"):
        for end in _RESETS:
            left, limit, reset = (_text(headers, f"{prefix}-{what}{end}") for what in ("remaining", "limit", "reset"))
            yield end.removeprefix("-") or "requests", left, limit, _reset(reset, now)
    for kind in _ANTHROPIC:
        left, limit, reset = (
            _text(headers, f"anthropic-ratelimit-{kind}-{what}") for what in ("remaining", "limit", "reset")
        )
        yield kind, left, limit, _reset(reset, now)


def _until_reset(headers: Headers, now: datetime) -> float | None:
    """The longest wait for a limit of which nothing is left, or which does not say."""
    waits = [reset_s for _, left, _, reset_s in _limits(headers, now) if reset_s is not None and left in ("0", "")]
    return max(waits, default=None)
