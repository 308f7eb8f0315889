"""What a tool's file tells, in our columns: the one shape between each tool's module and the run directory.

Times are seconds on any one clock, NaN where unknown. What a file does not tell is None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np

from harness.base.stats import Floats
from harness.rundir.of_step import LoadOfStep
from harness.rundir.results import Step

Api = Literal["completions", "chat", "native"]
TokenSource = Literal["server", "tool"]
Texts = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """The requests of one load, as columns of records.parquet."""

    sent_s: Floats
    finished_s: Floats
    first_token_s: Floats | None = None
    scheduled_s: Floats | None = None  # None: when they were due is not told
    prompt_tokens: Floats | None = None
    cached_tokens: Floats | None = None
    output_tokens: Floats | None = None
    requested_output_tokens: Floats | None = None
    reasoning_tokens: Floats | None = None
    events: Floats | None = None
    max_gap_s: Floats | None = None
    turn: Floats | None = None
    request_id: Texts | None = None
    session: Texts | None = None
    error: Texts | None = None  # None: all went well
    error_detail: Texts | None = None
    token_source: TokenSource = "tool"

    def __len__(self) -> int:
        return len(self.sent_s)

    def between(self, first: int, end: int) -> Rows:
        """The rows at these places."""
        whole = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "token_source"}
        cut: dict[str, Any] = {name: values[first:end] for name, values in whole.items() if values is not None}
        return replace(self, **cut)


@dataclass(frozen=True, slots=True)
class Part:
    """One load of a measurement: its rows, or else the tool's own figures."""

    load: LoadOfStep
    rows: Rows | None = None
    summary: Step | None = None
    model: str | None = None
    file: str = ""  # that its rows are in
    took_s: float | None = None  # by the tool's own clock, of all its requests
    answered: int | None = None  # requests, by the tool's own count


@dataclass(frozen=True, slots=True)
class Told:
    """One measurement as its tool tells it."""

    tool: str
    parts: tuple[Part, ...]
    version: str | None = None
    layout: str = ""
    model: str | None = None
    api: Api = "completions"
    streamed: bool = True
    backend: str = "openai"  # the dialect that was spoken
    engine: str | None = None
    urls: tuple[str, ...] = ()
    started_at: str | None = None  # UTC, ISO 8601
    differences: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    command: str | None = None
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()  # what was not taken as it stands in a file: which, how much, and as what
    laid_out: bool = False  # the file does not tell when requests began

    @property
    def has_rows(self) -> bool:
        """Whether every part has its requests one by one."""
        return all(part.rows is not None for part in self.parts)


def longest_gap(gaps: Sequence[float]) -> float:
    """The longest gap between chunks, or one that goes backwards, which must not hide; NaN without any."""
    least = min(gaps, default=math.nan)
    return least if least < 0 else max(gaps, default=math.nan)


def ended(last: float | None, end: float | None, sent: float | None) -> float | None:
    """When the last token came; the end of the response where that lies before the request, which must not hide."""
    return end if end is not None and sent is not None and end < sent else last


def closed(users: float) -> LoadOfStep:
    """So many requests at once, each followed by the next."""
    return LoadOfStep(kind="closed", users=max(round(users), 1))


def at_rate(requests_per_s: float) -> LoadOfStep:
    """Requests that arrive at a rate whatever the server does."""
    return LoadOfStep(kind="open", requests_per_s=requests_per_s)


def mean_at_once(requests_per_s: float | None, took_s: float | None) -> float:
    """How many requests were under way on average (Little's law): the users, where a summary does not tell them."""
    return (requests_per_s or 0.0) * (took_s or 0.0)


def most_at_once(sent_s: Floats, finished_s: Floats) -> int:
    """The most requests under way at an instant: the users, where a file does not tell them."""
    known = ~np.isnan(sent_s) & ~np.isnan(finished_s)
    sent, done = np.sort(sent_s[known]), np.sort(finished_s[known])
    under_way = np.arange(1, len(sent) + 1) - np.searchsorted(done, sent, side="right")
    return int(under_way.max(initial=1))
