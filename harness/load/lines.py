"""Messages as lines: the name of the type, then its fields as JSON. A line that is none costs only itself."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

M = TypeVar("M")


class Malformed(ValueError):
    """What came is no message; the text says why."""


def name_of(kind: type) -> str:
    """What a kind of message is called on its way."""
    return kind.__name__.lower()


def encode(message: Any) -> bytes:
    """A message as its line: its name, then its fields."""
    return (
        name_of(type(message)).encode() + b" " + orjson.dumps(message, default=_plain, option=orjson.OPT_APPEND_NEWLINE)
    )


def _plain(part: Any) -> Any:
    """A part of a result file inside a message."""
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json")
    raise TypeError(type(part).__name__)


def readers(*kinds: type) -> dict[bytes, TypeAdapter[Any]]:
    """How each of these kinds is read, by its name."""
    return {name_of(kind).encode(): TypeAdapter(kind) for kind in kinds}


def decode(known: dict[bytes, TypeAdapter[M]], line: bytes) -> M:
    """The message in a line.

    Raises:
        Malformed: it is none of the known kinds.
    """
    name, _, fields = line.partition(b" ")
    if name not in known:
        raise Malformed(f"no such message: {line[:80]!r}")
    try:
        return known[name].validate_json(fields)
    except ValidationError as error:
        raise Malformed(f"{error.errors()[0]['msg']}: {line[:80]!r}") from None
