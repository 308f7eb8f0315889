"""Blocks of text that requests share, as traces with hashes name them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from harness.base.errors import UsageError
from harness.base.stats import Floats
from harness.base.text import printable
from harness.scenario.logs.source import Column, Source

MOONCAKE_BLOCK_TOKENS = 512
_SIZES = (16, 32, 64, 128, 256, 1024)  # others that have been seen


def blocks_of(column: Column, source: Source) -> list[tuple[int, ...]]:
    """The ids of each row.

    Raises:
        UsageError: a row whose ids are no list of numbers; names its line.
    """
    rows = column.to_pylist() if isinstance(column, pa.ChunkedArray) else column
    out: list[tuple[int, ...]] = []
    for n, row in enumerate(rows):
        try:
            out.append(tuple(int(block) for block in row or ()))
        except (TypeError, ValueError, OverflowError):
            shown = printable(repr(row), 60)
            raise UsageError(f"{source.row(n)}: `hash_ids` must be a list of numbers, got {shown}") from None
    return out


def block_size(counts: Floats | None, input_tokens: Floats) -> int:
    """Tokens of a block: the size at which every row has as many as its input fills, else Mooncake's."""
    if counts is not None:
        told = (counts > 1) & ~np.isnan(input_tokens)
        for size in _SIZES if told.any() else ():
            if (np.ceil(input_tokens[told] / size) == counts[told]).all():
                return size
    return MOONCAKE_BLOCK_TOKENS
