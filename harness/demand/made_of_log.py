"""What a demand that was made of a request log says of it."""

from __future__ import annotations

from pydantic import Field

from harness.base.yamlfile import Label, Strict
from harness.demand.items import Amount


class Conversations(Strict):
    """How the log's conversations grow, as `history` and `prompts: {kind: sessions}` have it."""

    sessions: Amount
    turns: Amount
    base_tokens: Amount
    growth_tokens: float


class Repeats(Strict):
    """Requests whose whole prompt had come before, which a cache of answers by the exact prompt would have answered;
    within 24 h null: the log says not when.
    """

    column: Label
    told: Amount
    unknown: Amount
    share: Amount
    input_tokens: Amount
    output_tokens: Amount
    share_24h: Amount | None = None
    input_tokens_24h: Amount | None = None
    output_tokens_24h: Amount | None = None


class MadeOfLog(Strict):
    """The log: what it was, what was left out of it, and what of it no price here is asked for."""

    file: Label
    layout: Label
    time_unit: Label
    is_aggregate: bool = False
    requests: Amount
    failed: Amount = 0
    left_out: dict[str, Amount] = Field(default_factory=dict)
    span_h: Amount
    cached_share: Amount | None = None
    reasoning_tokens: Amount | None = None
    images: Amount | None = None
    models: Amount | None = None
    repeats: Repeats | None = None
    conversations: Conversations | None = None
