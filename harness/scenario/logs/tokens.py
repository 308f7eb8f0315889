"""Tokens of a log's rows, and whether the cached ones are part of the input or stand beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.base.stats import Floats

_BESIDE_SHARE = 0.1  # of the rows with cached tokens have more of them than input: then they stand beside it


@dataclass(frozen=True, slots=True)
class Tokens:
    """Of each row; NaN: unknown, None: the log does not say it. Cached and written ones are part of the input."""

    input: Floats
    output: Floats
    cached: Floats | None
    cache_write: Floats | None
    reasoning: Floats | None
    images: Floats | None

    def only(self, rows: npt.NDArray[Any]) -> Tokens:
        """Those of some rows, unknown ones as 0."""
        return self._each(lambda values: np.nan_to_num(values[rows]))

    def per_request(self, requests: Floats) -> Tokens:
        """Sums as means of so many requests; of none as 0."""
        n = np.maximum(requests, 1)
        return self._each(lambda values: np.where(requests > 0, values, 0) / n)

    def _each(self, change: Callable[[Floats], Floats]) -> Tokens:
        def maybe(values: Floats | None) -> Floats | None:
            return None if values is None else change(values)

        return Tokens(
            change(self.input),
            change(self.output),
            maybe(self.cached),
            maybe(self.cache_write),
            maybe(self.reasoning),
            maybe(self.images),
        )


def with_input_beside(given: Tokens, beside: Floats | None, read: Floats | None) -> Tokens:
    """The tokens, where rows without an input have one `beside` what they `read` from a cache and wrote to it."""
    if beside is None and read is None:
        return given
    own = np.isnan(given.input)
    read = np.full(len(own), np.nan) if read is None else read
    written = np.zeros(len(own)) if given.cache_write is None else np.nan_to_num(given.cache_write)
    more = np.where(np.isnan(read), 0, np.nan_to_num(read) + written)
    cached = read if given.cached is None else np.where(np.isnan(given.cached), read, given.cached)
    return replace(
        given,
        input=given.input if beside is None else np.where(own, beside + more, given.input),
        cached=None if np.isnan(cached).all() else cached,
    )


def with_whole_input(given: Tokens, total: Floats | None) -> tuple[Tokens, list[str]]:
    """The tokens with cached ones inside the input and reasoning inside the output, and what was done to get there.

    OpenAI counts cached tokens within the input and reasoning within the output, Anthropic cached ones beside it. A
    total of the row tells; without one, more cached tokens than input do.
    """
    if given.cached is None and given.cache_write is None and given.reasoning is None:
        return given, []
    cached, written, thought = (_or_zero(v, given) for v in (given.cached, given.cache_write, given.reasoning))
    aside = cached + written
    if total is None:
        return _beside(given, aside)
    gap = total - given.input - given.output
    both = (gap > 0) & np.isclose(gap, aside + thought)
    inputs = both | ((gap > 0) & np.isclose(gap, aside))
    outputs = (both | ((gap > 0) & np.isclose(gap, thought))) & (thought > 0)
    moved = replace(
        given,
        input=np.where(inputs, given.input + aside, given.input),
        output=np.where(outputs, given.output + thought, given.output),
    )
    notes = ["cached tokens stood beside the input and were added to it"] if (inputs & (aside > 0)).any() else []
    kept, more = _clipped(moved, aside)
    return kept, [*notes, *more]


def _or_zero(values: Floats | None, given: Tokens) -> Floats:
    return np.zeros(len(given.input)) if values is None else np.nan_to_num(values)


def _beside(given: Tokens, aside: Floats) -> tuple[Tokens, list[str]]:
    above = aside > given.input
    if above.sum() <= _BESIDE_SHARE * (aside > 0).sum():
        return _clipped(given, aside)
    return replace(given, input=given.input + aside), ["cached tokens stood beside the input and were added to it"]


def _clipped(given: Tokens, aside: Floats) -> tuple[Tokens, list[str]]:
    """No row with more cached tokens than input: those are cut, and said."""
    above = aside > given.input
    if not above.any():
        return given, []
    share = np.where(above, given.input / np.maximum(aside, 1), 1.0)
    cut = replace(
        given,
        cached=None if given.cached is None else given.cached * share,
        cache_write=None if given.cache_write is None else given.cache_write * share,
    )
    return cut, [f"{int(above.sum()):,} rows had more cached tokens than input, cut to it"]
