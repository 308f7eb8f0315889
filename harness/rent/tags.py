"""A box as tags that any cloud takes: whose it is, and when it has to be gone.

Values keep the strictest rule of those that SkyPilot passes labels to (Google Cloud's: `a-z`, `0-9`, `-`, `_`, at most
63). Capitals are `_t`, an underscore is `__`, any other ASCII character is `_` and its two hex digits: `20260801T1200Z`
is `20260801_t1200_z`. Times are UTC, whole seconds, the expiry rounded up: `20260801t120000z`.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from harness.base.text import printable
from harness.rent.box import Box, RentError
from harness.rent.plan import LONGEST_H

BOX, RUN, PROVIDER = "breakeven-box", "breakeven-run", "breakeven-provider"
LAUNCHED, EXPIRES, PRICE = "breakeven-launched", "breakeven-expires", "breakeven-microusd-per-hour"
OURS = (BOX, RUN, PROVIDER, LAUNCHED, EXPIRES, PRICE)

LONGEST = 63
_TIME = "%Y%m%dt%H%M%Sz"
_MICRO = 1_000_000
_SPARE = timedelta(hours=1)  # a box outlives its budget by the teardown
_WRITTEN = re.compile(r"(?:[a-z0-9-]|__|_[a-z]|_[2-7][0-9a-f])+")
_ESCAPE = re.compile(r"_(_|[a-z]|[2-7][0-9a-f])")


class TagsError(RentError):
    """Tags that carry our names, and do not say what ours say."""


def tags_of(box: Box) -> dict[str, str]:
    """What a cloud is told with the launch.

    Raises:
        RentError: an id that does not fit.
    """
    launched, expires = datetime.fromisoformat(box.launched_at), datetime.fromisoformat(box.expires_at)
    if expires.microsecond:
        expires += timedelta(seconds=1)
    return {
        BOX: _written(box.id, "box id"),
        RUN: _cut(_written(box.run_id, "run id", longest=None)),
        PROVIDER: _written(box.provider, "provider"),
        LAUNCHED: launched.astimezone(UTC).strftime(_TIME),
        EXPIRES: expires.astimezone(UTC).strftime(_TIME),
        PRICE: str(math.ceil(round(box.usd_per_hour * _MICRO, 3))),
    }


def box_of(tags: Mapping[str, str], now: datetime | None = None) -> Box:
    """The box that tags tell of; of a long run id its beginning. Tags of others are passed over.

    Raises:
        TagsError: one of ours is not there, or says what none of ours says: names it and its value.
    """
    launched, expires = _time(tags, LAUNCHED), _time(tags, EXPIRES)
    latest = (now or datetime.now(UTC)) + timedelta(hours=LONGEST_H) + _SPARE
    if not launched < expires <= latest:
        raise TagsError(f"{EXPIRES}: {tags[EXPIRES]}: no box that was launched at {tags[LAUNCHED]} lasts until then")
    price = _said(tags, PRICE)
    if not re.fullmatch("[0-9]{1,15}", price):
        raise TagsError(f"{PRICE}: {printable(price)}: not a number of millionths")
    return Box(
        _read(tags, BOX),
        _read(tags, RUN),
        _read(tags, PROVIDER),
        launched.isoformat(),
        expires.isoformat(),
        int(price) / _MICRO,
    )


def _written(text: str, what: str, *, longest: int | None = LONGEST) -> str:
    if not text or not text.isascii() or not text.isprintable():
        raise RentError(f"{what} `{printable(text)}`: a cloud's tags take printable ASCII")
    written = re.sub(r"[^a-z0-9-]", _escaped, text)
    if longest is not None and len(written) > longest:
        raise RentError(f"{what} `{printable(text)}`: longer than the {longest} characters of a cloud's tag")
    return written


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    if character == "_":
        return "__"
    return f"_{character.lower()}" if character.isupper() else f"_{ord(character):02x}"


def _cut(written: str) -> str:
    """Its beginning, no escape cut in two."""
    kept = written[:LONGEST]
    return kept if _WRITTEN.fullmatch(kept) else kept[: kept.rindex("_")]


def _said(tags: Mapping[str, str], name: str) -> str:
    if name not in tags:
        raise TagsError(f"{name}: the tag is not there")
    return tags[name]


def _read(tags: Mapping[str, str], name: str) -> str:
    said = _said(tags, name)
    if len(said) > LONGEST or not _WRITTEN.fullmatch(said):
        raise TagsError(f"{name}: {printable(said)}: not of ours")
    return _ESCAPE.sub(lambda found: _character(found.group(1)), said)


def _character(escape: str) -> str:
    if escape == "_":
        return "_"
    return escape.upper() if len(escape) == 1 else chr(int(escape, 16))


def _time(tags: Mapping[str, str], name: str) -> datetime:
    said = _said(tags, name)
    try:
        if not re.fullmatch("[0-9]{8}t[0-9]{6}z", said):
            raise ValueError
        return datetime.strptime(said, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise TagsError(f"{name}: {printable(said)}: not a time as 20260801t120000z") from None
