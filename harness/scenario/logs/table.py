"""The table of layouts: what gives each away, the unit of its times, and which columns say what.

What stands first is the more particular.
"""

from harness.scenario.logs.json_rows import CONVERSATION
from harness.scenario.logs.layout import Fields, Layout

_DAY_S = 86_400.0
_PROMPTS = "a file of prompts without times, no log: in a scenario it is "
_SESSION = ("session_id", "conversation_id", "session")
_PROMPT = ("prompt_hash", "prompt_id", "messages", "prompt", "input")
_BODIES = ("request_body", "request", "body")
_LITELLM = ("metadata/usage_object", "metadata/additional_usage_values")
_LANGFUSE = ("usage_details", "usageDetails", "usage")
_OTEL_INPUT = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt",
)  # fmt: skip


def _in(parents: tuple[str, ...], *names: str) -> tuple[str, ...]:
    return tuple(f"{parent}/{name}" for name in names for parent in parents)


LAYOUTS = (
    Layout(
        "sharegpt", (("conversations",), ("conversation",)), Fields(),
        refused=_PROMPTS + "`prompts: {kind: file, format: sharegpt, path: ...}`",
    ),
    Layout(
        "openai-costs", (("amount_value", "amount_currency"), ("amount", "line_item")), Fields(),
        refused="costs without requests or tokens, no log: take the usage export or the usage API's pages",
    ),
    Layout(
        "litellm", (("startTime", "call_type"), ("startTime", "spend", "prompt_tokens")),
        Fields(
            arrival=("startTime",), input_tokens=("prompt_tokens",), output_tokens=("completion_tokens",),
            cached_input_tokens=(
                *_in(_LITELLM, "prompt_tokens_details/cached_tokens", "cache_read_input_tokens"),
                "cache_read_input_tokens",
            ),
            cache_write_tokens=(*_in(_LITELLM, "cache_creation_input_tokens"), "cache_creation_input_tokens"),
            reasoning_tokens=_in(_LITELLM, "completion_tokens_details/reasoning_tokens"),
            model=("model_group", "model"), session=("session_id",), status=("status", "metadata/status"),
            from_cache=("cache_hit",), prompt=("cache_key", "messages", "proxy_server_request/messages"),
        ),
    ),
    Layout(
        "litellm-daily", (("Date", "Requests", "Spend ($)"), ("Date", "Requests", "Total Tokens")),
        Fields(
            arrival=("Date",), input_tokens=("Prompt Tokens",), output_tokens=("Completion Tokens",),
            cached_input_tokens=("Cache Read Input Tokens", "Cache Read Tokens"),
            cache_write_tokens=("Cache Creation Input Tokens", "Cache Creation Tokens"),
            model=("Model",), requests=("Requests",), failures=("Failed Requests", "Failed"),
        ),
        bucket_s=_DAY_S,
    ),
    Layout(
        "litellm-daily-table", (("date", "api_requests", "prompt_tokens"),),
        Fields(
            arrival=("date",), input_tokens=("prompt_tokens",), output_tokens=("completion_tokens",),
            cached_input_tokens=("cache_read_input_tokens",), cache_write_tokens=("cache_creation_input_tokens",),
            model=("model_group", "model"), requests=("api_requests",), failures=("failed_requests",),
        ),
        bucket_s=_DAY_S,
    ),
    Layout(
        "openrouter", (("generation_id", "tokens_prompt"), ("tokens_prompt", "tokens_completion")),
        Fields(  # native counts are those that are billed
            arrival=("created_at",), input_tokens=("native_tokens_prompt", "tokens_prompt"),
            output_tokens=("native_tokens_completion", "tokens_completion"),
            cached_input_tokens=("native_tokens_cached", "tokens_cached"),
            reasoning_tokens=("native_tokens_reasoning", "tokens_reasoning"),
            status=("finish_reason_normalized",), images=("num_media_prompt",),
            model=("model_permaslug", "model"), session=_SESSION,
        ),
    ),
    Layout(
        "openrouter-daily", (("date", "requests", "prompt_tokens"),),
        Fields(
            arrival=("date",), input_tokens=("prompt_tokens",), output_tokens=("completion_tokens",),
            reasoning_tokens=("reasoning_tokens",), model=("model_permaslug", "model"), requests=("requests",),
        ),
        bucket_s=_DAY_S,
    ),
    Layout(
        "openai-usage",
        (("start_time", "num_model_requests"), ("start_time", "end_time", "input_tokens", "input_cached_tokens")),
        Fields(
            arrival=("start_time", "start_time_iso"), end=("end_time", "end_time_iso"),
            input_tokens=("input_tokens",), output_tokens=("output_tokens",),
            cached_input_tokens=("input_cached_tokens",), model=("model",), requests=("num_model_requests",),
        ),
        bucket_s=_DAY_S,
    ),
    Layout(
        "langfuse",
        (("trace_id", "type", "start_time"), ("traceId", "type", "startTime"), ("start_time", "usage_details")),
        Fields(
            arrival=("start_time", "startTime"),
            input_tokens=(
                *_in(_LANGFUSE, "input", "prompt_tokens", "promptTokens"), "prompt_tokens", "promptTokens",
            ),
            output_tokens=(
                *_in(_LANGFUSE, "output", "completion_tokens", "completionTokens"),
                "completion_tokens", "completionTokens",
            ),
            total_tokens=(*_in(_LANGFUSE, "total", "totalTokens"), "total_tokens", "totalTokens"),
            cached_input_tokens=_in(
                _LANGFUSE, "input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "input_cached",
            ),
            cache_write_tokens=_in(_LANGFUSE, "cache_creation_input_tokens", "input_cache_creation"),
            reasoning_tokens=_in(_LANGFUSE, "reasoning", "output_reasoning_tokens", "output_reasoning"),
            model=("provided_model_name", "providedModelName", "model"), session=("session_id", "sessionId"),
            status=("level",), kind=("type",), prompt=("input",),
        ),
        kinds=frozenset({"generation"}),
    ),
    Layout(
        "helicone", (("request_created_at",),),
        Fields(
            arrival=("request_created_at",), input_tokens=("prompt_tokens",), output_tokens=("completion_tokens",),
            cached_input_tokens=("prompt_cache_read_tokens",), cache_write_tokens=("prompt_cache_write_tokens",),
            reasoning_tokens=("reasoning_tokens",), model=("model", "request_model", "response_model"),
            session=("session_id", "request_properties/Helicone-Session-Id"), status=("response_status",),
            prompt=("request_body/messages", "request_body/input", "request_body/prompt"),
        ),
    ),
    Layout(
        "otel", tuple((name,) for name in _OTEL_INPUT),
        Fields(  # new names, old ones, OpenLLMetry's and OpenInference's
            arrival=(
                "start_time_unix_nano", "startTimeUnixNano", "start_time", "startTime", "timestamp", "Timestamp",
            ),
            input_tokens=_OTEL_INPUT,
            output_tokens=(
                "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens",
                "llm.token_count.completion",
            ),
            cached_input_tokens=(
                "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens",
                "gen_ai.usage.input_tokens.cached", "gen_ai.usage.details.cached_tokens",
                "llm.token_count.prompt_details.cache_read",
            ),
            cache_write_tokens=(
                "gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation_input_tokens",
                "llm.token_count.prompt_details.cache_write",
            ),
            reasoning_tokens=(
                "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens",
                "gen_ai.usage.details.reasoning_tokens", "llm.token_count.completion_details.reasoning",
            ),
            model=("gen_ai.response.model", "gen_ai.request.model", "llm.model_name"),
            session=("gen_ai.conversation.id", "session.id"), status=("status", "error.type"),
            kind=("gen_ai.operation.name", "openinference.span.kind"),
            prompt=("gen_ai.input.messages", "gen_ai.prompt", "input.value"),
        ),
        not_kinds=frozenset({"invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "agent", "chain"}),
    ),
    Layout(
        "azure", (("TIMESTAMP", "ContextTokens"), ("TIMESTAMP", "GeneratedTokens")),
        Fields(
            arrival=("TIMESTAMP",), input_tokens=("ContextTokens",), output_tokens=("GeneratedTokens",),
            images=("NumImages",),
        ),
    ),
    Layout(
        "burstgpt", (("Timestamp", "Request tokens"), ("Timestamp", "Response tokens")),
        Fields(
            arrival=("Timestamp",), input_tokens=("Request tokens",), output_tokens=("Response tokens",),
            model=("Model",), session=("Session ID",),
        ),
        unit="s", from_midnight=True,
    ),
    Layout(
        "bailian", (("chat_id", "parent_chat_id", "timestamp"),),
        Fields(
            arrival=("timestamp",), input_tokens=("input_length",), output_tokens=("output_length",),
            session=("chat_id",), parent=("parent_chat_id",), blocks=("hash_ids",),
            prompt=("hash_ids",),
        ),
        unit="s", block_tokens=16,
    ),
    Layout(
        "mooncake", (("input_length", "output_length"), ("timestamp", "input_length"), ("timestamp", "output_length")),
        Fields(
            arrival=("timestamp",), input_tokens=("input_length",), output_tokens=("output_length",),
            session=("session_id",), delay_ms=("delay",), blocks=("hash_ids",),
            prompt=("hash_ids",),
        ),
        may_be_untimed=True,
    ),
    Layout(
        "weka", (("t", "in", "out"),),
        Fields(
            arrival=("t",), input_tokens=("in",), output_tokens=("out",), session=(CONVERSATION,),
            blocks=("hash_ids",),
        ),
        unit="s", block_tokens=64,
    ),
    Layout(
        "ours", (("arrival_s",),),
        Fields(
            arrival=("arrival_s",), input_tokens=("input_tokens",), output_tokens=("output_tokens",),
            cached_input_tokens=("cached_input_tokens", "cached_tokens"), cache_write_tokens=("cache_write_tokens",),
            reasoning_tokens=("reasoning_tokens",), images=("images",), model=("model",), session=_SESSION,
            status=("status", "error"), prompt=_PROMPT,
        ),
        unit="s",
    ),
    Layout(
        "access-log", (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"), ("usage",)),
        Fields(
            arrival=(
                "time_iso8601", "msec", "time_local", "@timestamp", "timestamp", "time", "ts", "created_at", "created",
                "start_time", "started_at", "arrival_time",
            ),
            input_tokens=("prompt_tokens", "usage/prompt_tokens"),
            input_beside=("input_tokens", "usage/input_tokens"),  # Anthropic's names
            cached_beside=("cache_read_input_tokens", "usage/cache_read_input_tokens"),
            total_tokens=("total_tokens", "usage/total_tokens"),
            output_tokens=(
                "completion_tokens", "output_tokens", *_in(("usage",), "completion_tokens", "output_tokens"),
            ),
            cached_input_tokens=(
                "cached_input_tokens", "cached_tokens", "prompt_tokens_details/cached_tokens",
                *_in(("usage",), "prompt_tokens_details/cached_tokens", "input_tokens_details/cached_tokens"),
            ),
            cache_write_tokens=(
                "cache_write_tokens", "cache_creation_input_tokens", *_in(("usage",), "cache_creation_input_tokens"),
            ),
            reasoning_tokens=(
                "reasoning_tokens", "completion_tokens_details/reasoning_tokens",
                *_in(("usage",), "completion_tokens_details/reasoning_tokens",
                     "output_tokens_details/reasoning_tokens"),
            ),
            model=("model",), session=_SESSION, status=("status", "status_code", "error"),
            prompt=(*_PROMPT, *_in(_BODIES, "messages", "input", "prompt")),
        ),
    ),
    Layout(
        "prompts", (("messages",), ("prompt",), ("text",)), Fields(),
        refused=_PROMPTS + "`prompts: {kind: file, path: ...}`",
    ),
)  # fmt: skip

NAMED = Layout(
    "named-columns", (),
    Fields(
        arrival=("arrival_s",), input_tokens=("input_tokens",), output_tokens=("output_tokens",),
        cached_input_tokens=("cached_input_tokens",), cache_write_tokens=("cache_write_tokens",),
        reasoning_tokens=("reasoning_tokens",), images=("images",), model=("model",), session=("session",),
        status=("status",), prompt=("prompt",),
    ),
)  # fmt: skip
"""Ours, for who names the columns."""
