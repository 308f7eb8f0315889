"""What one request leaves behind: a row of records.parquet.

Times are float seconds on the monotonic clock since the run began. Unknown is None, never 0 or -1.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

LATEST_S = 1e9  # 31 years; no run's clock shows more

ErrorCode = str
"""null or one of: timeout connect reset http_NNN error_event truncated not_sse no_tokens bad_encoding oversize aborted
filtered short cut_at_end not_sent."""

NOT_FAILURES = frozenset({"cut_at_end", "not_sent"})
"""Errors of the plan, not of the server: cut when the run ended, or never sent."""


@dataclass(slots=True)
class RequestRecord:
    """One attempt at one request; a row of records.parquet. Field names are the column names."""

    request_id: str
    step: int | None  # None: of the preflight
    session: str | None = None
    turn: int | None = None
    entered: bool | None = None  # the first of a conversation begun at a later turn: no cache knows what was said
    task: str | None = None  # of a task run: what was asked
    attempt: int = 1  # of a task: the first, or the one after so many that failed
    summary: bool = False  # asks for a summary of a task's older turns: its tokens are the task's, nobody judges it
    repeat: bool = False  # a task asked for its load alone: served, and in no latency, count or verdict
    resent: int = 0  # times it was written again: the connection before was closed, and nobody had read it
    scheduled_s: float | None = None  # when the plan wanted it sent; closed loop: when the user was ready
    sent_s: float | None = None  # just before the first byte is written
    headers_s: float | None = None
    first_token_s: float | None = None  # None when not streaming
    finished_s: float | None = None  # arrival of the last token's event
    answered_s: float | None = None  # its end had come, behind its last token; None: it never did
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    requested_output_tokens: int | None = None
    reasoning_tokens: int | None = None  # of output_tokens, as the server told
    token_source: Literal["server", "derived", "endpoint_tokenizer", "tool", "unknown"] = "unknown"
    events: int = 0  # events that carried a generated token
    first_events: int | None = None  # of them, those that came at once with the first
    max_gap_s: float | None = None  # longest wait between two such events
    tpot_share: float | None = None  # of output_tokens, those that TPOT is over; 0: the stream came in one piece
    unreadable_events: int = 0
    unreadable_example: str | None = None
    clock: Literal["kernel", "user"] = "user"
    http_status: int | None = None
    finish_reason: str | None = None  # as the server sent it
    error: ErrorCode | None = None
    error_detail: str | None = None
    task_success: bool | None = None
    server_queue_s: float | None = None  # as the server told it: arrived to started
    server_prefill_s: float | None = None  # started to first token
    server_decode_s: float | None = None  # first token to last
    server_total_s: float | None = None  # arrived to answered
    url: str = ""
    process: int = 0  # pid of the load process that sent it
    preflight: bool = False  # sent before the load to see how the endpoint answers: in no figure
    retried: bool = False  # an API's rate limit refused it, and it was asked again in a row of its own: in no figure

    def to_dict(self) -> dict[str, Any]:
        """The row, keyed by column."""
        return {name: getattr(self, name) for name in COLUMNS}


COLUMNS: tuple[str, ...] = tuple(f.name for f in fields(RequestRecord))
