"""What a server says of its tokens, under whatever name and of whatever type. No I/O."""

from collections.abc import Mapping
from typing import Any, Literal

from harness.backends.wire import Answer, Ask

MOST_TOKENS = 10**9  # of one request; more is no count
_MOST_MS = 1e12  # 31 years
_PROMPT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens", "generated_tokens")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_WRITTEN = ("cache_creation_input_tokens", "cache_creation_tokens", "cache_write_tokens")
_REASONING = ("reasoning_tokens",)
_IN_DETAILS = ("prompt_tokens_details", "input_tokens_details")
_OUT_DETAILS = ("completion_tokens_details", "output_tokens_details")
_ASKED = ("max_completion_tokens", "max_tokens", "max_new_tokens", "n_predict")  # keys of a body
_PLAUSIBLE_CHARS = 12  # a token, in the mean of an answer
_POSSIBLE_CHARS = 60


def count_of(value: object, most: int = MOST_TOKENS) -> int | None:
    """A number of tokens: 20, 20.0, 20.25 and "20" are 20; None where it is none, or cannot be."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= most else None


def seconds(milliseconds: object) -> float | None:
    """Of a number of milliseconds; None for anything else."""
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        return None
    return milliseconds / 1000 if 0 <= milliseconds <= _MOST_MS else None


def read_usage(answer: Answer, usage: object) -> None:
    """Each count that it holds; what it leaves out, or says in a way that is no count, stays as it was known."""
    if not isinstance(usage, Mapping) or not usage:
        return
    answer.prompt_tokens = _known(usage, _PROMPT, answer.prompt_tokens)
    answer.output_tokens = _known(usage, _OUTPUT, answer.output_tokens)
    answer.total_tokens = _known(usage, ("total_tokens",), answer.total_tokens)
    answer.cached_tokens = _detail(usage, _IN_DETAILS, _CACHED, answer.cached_tokens)
    answer.written_tokens = _detail(usage, _IN_DETAILS, _WRITTEN, answer.written_tokens)
    answer.reasoning_tokens = _detail(usage, _OUT_DETAILS, _REASONING, answer.reasoning_tokens)
    if usage.get("prompt_tokens") is None and usage.get("cache_read_input_tokens") is not None:
        _add_cached(answer, usage)


def _add_cached(answer: Answer, usage: Mapping[str, Any]) -> None:
    """Where the prompt is called `input_tokens`, what came from a cache or went into one is counted apart."""
    fresh = count_of(usage.get("input_tokens"))
    if fresh is not None:
        parts = (usage["cache_read_input_tokens"], usage.get("cache_creation_input_tokens"))
        answer.prompt_tokens = fresh + sum(count_of(part) or 0 for part in parts)


def _known(usage: Mapping[str, Any], names: tuple[str, ...], before: int | None) -> int | None:
    for name in names:
        count = count_of(usage.get(name))
        if count or (count is not None and before is None):  # 0 is also what a server says that does not count
            return count
    return before


def _detail(
    usage: Mapping[str, Any], groups: tuple[str, ...], names: tuple[str, ...], before: int | None
) -> int | None:
    for group in groups:
        details = usage.get(group)
        if isinstance(details, Mapping):
            before = _known(details, names, before)
    return _known(usage, names, before)


def billed_output(answer: Answer) -> int | None:
    """Its output tokens as they are paid for; some leave reasoning out of them, and count it in the total alone."""
    output = answer.output_tokens
    if output is None:
        return None
    if answer.total_tokens is not None and answer.prompt_tokens is not None:
        output = max(output, answer.total_tokens - answer.prompt_tokens)
    thought = answer.reasoning_tokens or 0
    return output if thought <= output else output + thought


def token_source(answer: Answer) -> Literal["server", "derived", "unknown"]:
    """Who says how many output tokens there were."""
    if answer.output_tokens is None:
        return "unknown"
    return "derived" if answer.is_derived else "server"


def reply_tokens(answer: Answer) -> int | None:
    """How many tokens the reply has, without reasoning: by the server's word, else by its share of the text."""
    total, sent = answer.output_tokens, len(answer.generated)
    if total is None or not sent:
        return total
    if answer.reasoning_tokens and answer.choices == 1:
        return max(total - answer.reasoning_tokens, 0)
    return round(total * len(answer.reply) / sent)


def tokens_asked(ask: Ask) -> int | None:
    """How many tokens a request really asks for: the user's own body has the last word; None: that is left open."""
    own = {**ask.extra_body, **_mapping(ask.extra_body.get("parameters"))}
    counts = [count for count in map(count_of, map(own.get, _ASKED)) if count is not None]
    if counts:
        return counts[0]
    is_open = any(name in ask.omit or (name in own and own[name] is None) for name in _ASKED)
    return None if is_open else ask.max_tokens


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def settle_counts(answer: Answer) -> None:
    """Once it has ended: a count that the text itself contradicts is unknown; what is unknown is derived if it can be.

    Text, but no token: nobody counted. Tokens of a length that tokens do not have, the more so where there are fewer
    of them than events: something else was counted. What remains is the total without the prompt.
    """
    chars = sum(map(len, answer.text)) + sum(map(len, answer.aside))
    if answer.prompt_tokens == 0:
        answer.prompt_tokens = None
    count = answer.output_tokens
    if count is not None:
        most = _PLAUSIBLE_CHARS if count < answer.token_events else _POSSIBLE_CHARS
        if chars > most * count or (count == 0 and answer.token_events):
            answer.output_tokens = None
    if answer.output_tokens is None and answer.total_tokens is not None and answer.prompt_tokens is not None:
        rest = answer.total_tokens - answer.prompt_tokens
        if rest >= max(answer.token_events, 1):
            answer.output_tokens, answer.is_derived = rest, True
