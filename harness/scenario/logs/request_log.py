"""A request log as one typed thing, whatever layout it came in; a replay and a month's demand are made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.stats import Floats
from harness.scenario.logs.prompt_keys import PromptKeys
from harness.scenario.logs.values import Bools, Names


@dataclass(frozen=True, slots=True)
class RequestLog:
    """Requests in order of arrival, an array a column; tokens of a row that failed may be 0.

    Of an aggregate a row is a bucket: `served` and `failed` say how many, tokens are the mean of those served.
    """

    file: str
    layout: str
    unit: str  # of its times: s, ms, us, ns; "date"; "none" where it has none
    arrival_s: Floats  # from the first
    input_tokens: Floats
    output_tokens: Floats
    cached_tokens: Floats | None  # None: the log does not say
    cache_write_tokens: Floats | None
    reasoning_tokens: Floats | None
    images: Floats | None
    served: Floats
    failed: Floats
    from_cache: Bools | None  # answered without the model
    model: Names | None
    session: Names | None
    blocks: tuple[tuple[int, ...], ...] | None  # where they were asked for
    block_tokens: int
    bucket_s: float  # 0: a row is a request
    end_s: float  # the last arrival, or the end of the last bucket
    starts_at_s: float | None  # its first request on a clock: since 1970 if `is_dated`, else since a midnight
    is_dated: bool
    left_out: Mapping[str, int]  # rows that are no request, by why
    notes: tuple[str, ...]  # what had to be understood, a sentence each
    prompts: PromptKeys | None = None  # where they were asked for, and the log tells

    @property
    def is_aggregate(self) -> bool:
        """Whether a row is a bucket of many requests."""
        return self.bucket_s > 0

    @property
    def requests(self) -> float:
        """Requests, those that failed among them."""
        return float(self.served.sum() + self.failed.sum())
