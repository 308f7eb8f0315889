"""Messages as lines: the name of the type, then its fields as JSON. A line that is none costs only itself."""

from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

M = TypeVar("M")
_BEYOND = 2**63


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
    return typed(known[name], fields)


def typed(kind: TypeAdapter[M], text: bytes) -> M:
    """What a peer has said in JSON, as one of ours.

    Raises:
        Malformed: it is none, or has a number that is none.
    """
    try:
        data = orjson.loads(text)  # knows no NaN
        check_numbers(data)
        return kind.validate_python(data)
    except ValidationError as error:
        raise Malformed(f"{error.errors()[0]['msg']}: {text[:80]!r}") from None
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{error.msg}: {text[:80]!r}") from None


def check_numbers(data: Any) -> None:
    """A peer's numbers are numbers that we can write down again.

    Raises:
        Malformed: one is not finite, or beyond 64 bits.
    """
    left = [data]
    while left:
        match left.pop():
            case dict() as inside:
                left += inside.values()
            case list() as items:
                left += items
            case int() | float() as number if not abs(number) < _BEYOND:
                raise Malformed(f"{number:.3g} is no number of ours")
