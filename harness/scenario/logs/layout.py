"""What a layout is: how it is known, in which unit its times are, what its columns mean.

A column may lie inside another: `usage_details/input` is `input` of the object (or JSON text) `usage_details`. Where a
field has several columns, the first that says something counts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

Columns = tuple[str, ...]
TimeUnit = Literal["s", "ms", "us", "ns"]


@dataclass(frozen=True, slots=True)
class Fields:
    """The columns that say each thing; () where the layout does not say it."""

    arrival: Columns = ()
    input_tokens: Columns = ()
    output_tokens: Columns = ()
    input_beside: Columns = ()  # input that the tokens of `cached_beside` and written ones are no part of
    cached_beside: Columns = ()
    total_tokens: Columns = ()  # of use only to tell whether cached tokens are part of the input
    cached_input_tokens: Columns = ()
    cache_write_tokens: Columns = ()
    reasoning_tokens: Columns = ()
    images: Columns = ()
    model: Columns = ()
    session: Columns = ()
    delay_ms: Columns = ()  # after the request before it in its session, where it has no time
    parent: Columns = ()  # the request before it in its session, by its `session`
    status: Columns = ()
    from_cache: Columns = ()  # answered without asking the model
    kind: Columns = ()
    blocks: Columns = ()
    prompt: Columns = ()  # the whole of it, or what stands for the whole
    requests: Columns = ()  # of an aggregate: how many
    failures: Columns = ()
    end: Columns = ()  # of an aggregate's bucket

    def all(self) -> list[str]:
        """Every column, once, but those of a prompt: long texts, which are read part by part."""
        names = [field.name for field in fields(self) if field.name != "prompt"]
        return list(dict.fromkeys(column for name in names for column in getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to lay out a log. Units: s, ms, us or ns; None: told from the numbers."""

    name: str
    known_by: tuple[Columns, ...]  # all columns of any of these are there
    fields: Fields
    unit: TimeUnit | None = None
    from_midnight: bool = False  # seconds count from a midnight of the log's clock
    kinds: frozenset[str] | None = None  # the values of `kind` that are calls of a model
    not_kinds: frozenset[str] = frozenset()
    block_tokens: int | None = None  # that one of `blocks` stands for; None: told from the numbers
    bucket_s: float | None = None  # of an aggregate, whose rows are buckets, where they have no `end`
    may_be_untimed: bool = False  # rows without any time are lengths alone
    refused: str = ""  # why it is no log, and the way out
