"""Values out of JSON, and out of what lies inside a column, kept small: arrays where a chunk is of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

CHUNK_ROWS = 8_192


class Packed:
    """A column that grows by chunks."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []

    def add(self, values: list[Any]) -> None:
        """The next rows."""
        try:
            self._chunks.append(pa.array(values))
        except (pa.ArrowException, OverflowError):
            self._chunks.append(values)

    def whole(self) -> Any:
        """All rows: a `pa.ChunkedArray` of one type, or a list."""
        arrays = [chunk for chunk in self._chunks if isinstance(chunk, pa.Array)]
        kinds = {chunk.type for chunk in arrays} - {pa.null()}
        if kinds == {pa.int64(), pa.float64()}:
            kinds = {pa.float64()}
        if len(arrays) == len(self._chunks) and len(kinds) <= 1:
            kind = next(iter(kinds), pa.null())
            return pa.chunked_array([chunk.cast(kind) for chunk in arrays], kind)
        return [value for chunk in self._chunks for value in _listed(chunk)]


class Inside:
    """The columns that lie inside one, `a/b` and `a/c/d` inside `a`, which is opened once for all of them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._columns = {name: (tuple(name.split("/")[1:]), Packed()) for name in names}

    def add(self, values: list[Any]) -> None:
        """The next rows of the column that they lie inside."""
        if not self._columns:
            return
        opened = [value if value.__class__ is dict else _opened(value) for value in values]
        for path, packed in self._columns.values():
            packed.add(_at(path, opened))

    def whole(self) -> dict[str, Any]:
        """All rows, by name."""
        return {name: packed.whole() for name, (_, packed) in self._columns.items()}


def inside_of(name: str, values: list[Any]) -> list[Any]:
    """What lies inside each value at `a/b`, the values being those of `a`."""
    return _at(tuple(name.split("/")[1:]), [value if value.__class__ is dict else _opened(value) for value in values])


def _at(path: tuple[str, ...], opened: list[dict[str, Any] | None]) -> list[Any]:
    found: list[Any] = list(opened)
    for n, step in enumerate(path):
        if n:
            found = [value if value.__class__ is dict else _opened(value) for value in found]
        found = [value.get(step) if value is not None else None for value in found]
    return found


def _opened(value: Any) -> dict[str, Any] | None:
    """An object, written as JSON text, or as the pairs that Arrow gives a map as; None: it is none."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if isinstance(value, list):
        return dict(pair for pair in value if isinstance(pair, tuple))
    return value if isinstance(value, dict) else None


def _listed(chunk: Any) -> list[Any]:
    return list(chunk.to_pylist() if isinstance(chunk, pa.Array) else chunk)
