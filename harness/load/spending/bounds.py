"""The most tokens that a request can be billed for, by its body alone. What cannot be bounded is refused.

A token of a prompt has one byte at least, so its text has at most as many as bytes; what a chat template adds is
allowed for. An answer has at most what `max_tokens` or `max_completion_tokens` asks, reasoning among it.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from harness.backends.counts import count_of
from harness.base.errors import UsageError
from harness.load.spending.tariff import Bound
from harness.scenario import LengthSpread, Scenario, SessionPrompts, SyntheticPrompts, TraceLoad

REQUEST_ALLOWANCE = 256  # tokens that a template puts around a conversation: begin mark, its own system prompt
MESSAGE_ALLOWANCE = 16  # and around each message: role, marks, line breaks
TOOLS_ALLOWANCE = 1024  # and before a list of tools

_OUTPUT = ("max_tokens", "max_completion_tokens")
_MULTIPLY = ("n", "best_of")
_BUDGETS = ("reasoning", "thinking")  # objects that may have a bound of their own, beside the answer's
_TEXT = frozenset(
    {
        "prompt", "messages", "tools", "tool_choice", "functions", "function_call", "response_format", "suffix",
        "chat_template_kwargs", "guided_json", "guided_grammar", "structured_outputs", "grammar", "json_schema",
    }
)  # fmt: skip
_SILENT = frozenset(
    {
        *_OUTPUT, *_MULTIPLY, *_BUDGETS, "model", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p",
        "seed", "stop", "presence_penalty", "frequency_penalty", "repetition_penalty", "repeat_penalty", "logit_bias",
        "logprobs", "top_logprobs", "user", "safety_identifier", "metadata", "store", "parallel_tool_calls",
        "reasoning_effort", "verbosity", "prompt_cache_key", "ignore_eos", "min_tokens", "cache_salt", "cache_prompt",
        "enable_thinking", "service_tier",
    }
)  # fmt: skip
_TIERS = frozenset({"default", "flex", "standard", "standard_only"})  # none of them costs more than the listed price
_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "thinking", "reasoning"})


def most_billed(body: Mapping[str, Any]) -> Bound:
    """The most that the request with this body can be billed for.

    Raises:
        UsageError: it asks for what nobody can bound; names the key.
    """
    for key in body:
        if key not in _TEXT and key not in _SILENT:
            raise _unbounded(
                key, "nobody here knows what it adds to the bill", "leave it out, or drive without a limit"
            )
    if body.get("service_tier", "default") not in _TIERS:
        raise _unbounded("service_tier", f"`{body['service_tier']}` may cost more than the listed price", "`default`")
    choices = max((_whole(body, key) for key in _MULTIPLY if key in body), default=1)
    text_bytes = len(orjson.dumps({key: value for key, value in body.items() if key in _TEXT}))
    return Bound((text_bytes + _allowance(body)) * choices, _output(body) * choices)


def least_request(scenario: Scenario) -> tuple[int, int]:
    """The fewest tokens, in and out, that a request of a scenario asks for, as far as its file says."""
    spec = scenario.prompts
    if not isinstance(spec, SyntheticPrompts | SessionPrompts) or isinstance(scenario.load, TraceLoad):
        return 1, 1
    least_in = spec.input_tokens(0) if isinstance(spec, SessionPrompts) else _least(spec.input_tokens)
    return least_in, _least(spec.output_tokens)


def _least(length: int | LengthSpread) -> int:
    return length if isinstance(length, int) else length.min


def _output(body: Mapping[str, Any]) -> int:
    asked = [_whole(body, key) for key in _OUTPUT if key in body]
    if not asked:
        raise _unbounded("max_tokens", "nothing else bounds an answer", "do not take it away")
    budgets = [body[key] for key in _BUDGETS if isinstance(body.get(key), Mapping)]
    own = [_whole(budget, key) for budget in budgets for key in ("budget_tokens", "max_tokens") if key in budget]
    return max(asked) + sum(own)


def _whole(values: Mapping[str, Any], key: str) -> int:
    value = values[key]
    count = count_of(value) if isinstance(value, int) else None
    if not count:
        raise _unbounded(key, f"{value!r} is no number of tokens or choices", "give a whole number of 1 or more")
    return count


def _allowance(body: Mapping[str, Any]) -> int:
    """What is added to the text; and that there is nothing but text."""
    if not isinstance(body.get("prompt", ""), str):
        raise _unbounded("prompt", "a list of prompts is several requests", "ask with one text")
    messages = body.get("messages", ())
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else message
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, Mapping) or part.get("type", "text") not in _TEXT_PARTS:
                raise _unbounded("messages", "an image, a sound or a file costs more than its bytes", "ask with text")
    tools = body.get("tools", ())
    for tool in tools:
        if not isinstance(tool, Mapping) or tool.get("type", "function") != "function":
            raise _unbounded("tools", "a tool that the API itself runs has a price of its own", "`type: function`")
    has_tools = bool(tools or body.get("functions"))
    return REQUEST_ALLOWANCE + MESSAGE_ALLOWANCE * len(messages) + TOOLS_ALLOWANCE * has_tools


def _unbounded(key: str, why: str, hint: str) -> UsageError:
    return UsageError(f"--max-usd cannot be kept with `{key}` in the request: {why}", hint=hint)
