"""Which requests of a log ask the very same: a number for each whole prompt, so that no text is held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from harness.base.stats import Floats
from harness.scenario.logs.blocks import block_size
from harness.scenario.logs.layout import Layout
from harness.scenario.logs.recognise import is_there
from harness.scenario.logs.source import BLANK, Source

Keys = npt.NDArray[np.uint64]
_NOTHING = frozenset((*BLANK, "{}", "[]", '""', "Cache OFF"))  # the last as LiteLLM writes a key that it did not make
_TAKEN_OUT = ("redacted-by-litellm", "litellm_truncated")


@dataclass(frozen=True, slots=True)
class PromptKeys:
    """A number for each row's whole prompt, 0 where the log does not say it."""

    column: str  # that says it
    keys: Keys

    def only(self, rows: npt.NDArray[Any]) -> PromptKeys:
        """Those of some rows, in their order."""
        return PromptKeys(self.column, self.keys[rows])


def prompt_keys(source: Source, layout: Layout, input_tokens: Floats) -> PromptKeys | None:
    """By the first column of a prompt that says anything; None: none does."""
    there = [name for name in layout.fields.prompt if is_there(name, source.columns)]
    for column in there:
        is_blocks = column in layout.fields.blocks
        keys = _keys_of_blocks(source, column, layout, input_tokens) if is_blocks else _keys(source, column)
        if keys.any():
            return PromptKeys(column, keys)
    return None


def _keys(source: Source, column: str) -> Keys:
    return np.fromiter((_key(value) for value in _each(source, column)), dtype=np.uint64)


def _keys_of_blocks(source: Source, column: str, layout: Layout, input_tokens: Floats) -> Keys:
    """Of lists of blocks; those whose blocks end before their prompt does not say all of it."""
    found = [(_key(value), len(value) if isinstance(value, list) else 0) for value in _each(source, column)]
    keys = np.array([key for key, _ in found], dtype=np.uint64)
    counts = np.array([count for _, count in found], dtype=float)
    size = layout.block_tokens or block_size(counts, input_tokens)
    return np.where(counts * size >= input_tokens, keys, np.uint64(0))


def _each(source: Source, column: str) -> Iterator[Any]:
    return (value for chunk in source.values(column) for value in chunk)


def _key(value: Any) -> int:
    """A number of 64 bits; 0 where there is nothing, or not what was sent."""
    if value is None:
        return 0
    text = value.strip() if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    if text in _NOTHING or any(mark in text for mark in _TAKEN_OUT):
        return 0
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big") or 1
