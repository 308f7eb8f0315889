"""What a server says of an answer's end, and whether that end is good. No I/O."""

_FULL = frozenset({"length", "limit", "max_tokens", "max_length", "max_output_tokens", "model_length"})
_STOPPED = frozenset(
    {
        "stop", "eos", "eos_token", "eos_token_id", "stop_sequence", "stop_token", "stop_string", "stop_str", "word",
        "end_turn", "end_of_turn", "complete", "completed", "tool_calls", "tool_call", "tool_use", "function_call",
    }
)  # fmt: skip
_FILTERED = frozenset(
    {
        "content_filter", "content_filtered", "content-filter", "filter", "filtered", "safety", "refusal", "recitation",
        "blocklist", "prohibited_content", "spii", "sensitive", "guardrail_intervened", "error_toxic",
    }
)  # fmt: skip


def is_full(finish_reason: str) -> bool:
    """Whether it ended since it had as many tokens as it might have."""
    return finish_reason.lower() in _FULL


def bad_end(finish_reason: str) -> str | None:
    """The `error` of an answer that ended so; None for a good end. A word that nobody knows is no good end."""
    word = finish_reason.lower()
    if word in _FULL or word in _STOPPED:
        return None
    return "filtered" if word in _FILTERED else "aborted"
