"""What a failed request's own words point at, and the way out. Read by the load engine and by the checks."""

import re

BROKE_EARLY = "the answer broke off before its first event"
EMPTY = "the answer is empty"
UNFINISHED = "the answer ended without a finish reason"

_KEYS = r"ignore_eos|min_tokens|cache_salt|cache_prompt|repeat_penalty|top_k|min_p|stream_options"
_CONTEXT = (
    r"exceed_context_size|context (size|window|length)|maximum context|max_model_len|could not broadcast"
    r"|`inputs` (tokens|must)"
)

_HINTS: tuple[tuple[str, str, str], ...] = (  # error, words of its detail, hint; the first that fits
    (
        r"http_40[13]",
        "",
        "the endpoint refuses the key: --api-key-env NAME sends the one in that variable, --header K=V any other",
    ),
    (
        r"http_4\d\d|http_500|error_event|truncated",
        _CONTEXT,
        "prompt and answer do not fit the engine's context: start it with a longer one, or ask for fewer tokens",
    ),
    (
        r"http_4\d\d|http_500|error_event",
        _KEYS,
        "it refuses a key of this dialect: `--backend openai` sends none that only one engine knows, "
        "`request.force_length: false` no ignore_eos",
    ),
    (r"http_404", "model", "ask with --model for a model that its /v1/models lists"),
    (
        r"http_40[45]",
        "",
        "is --url the base URL (without /v1/...), and does the server speak the dialect of --backend?",
    ),
    (
        r"http_429|http_503|error_event",
        r"overload|too many|rate limit|queue|^$",
        "the server refuses what is above its own limit (TGI: --max-concurrent-requests): raise it or load less",
    ),
    (
        r"truncated",
        UNFINISHED,
        "llama-cpp-python ends a stream when another request comes in: start it with --interrupt_requests false",
    ),
    (
        r"truncated|no_tokens",
        f"{BROKE_EARLY}|{EMPTY}",
        "llama-cpp-python's streams end so where prompt and answer do not fit its context: give it a longer --n_ctx",
    ),
    (r"connect", "", "nobody listens there any more: see the server's own log"),
)


def hint_for(error: str, detail: str | None) -> str | None:
    """The way out of a request's `error` and `error_detail`; None where their words point at nothing known."""
    for kind, words, hint in _HINTS:
        if re.fullmatch(kind, error) and re.search(words, detail or "", re.IGNORECASE):
            return hint
    return None


REFUSALS = (400, 401, 403, 404, 405, 422)  # the next request would get the same answer
