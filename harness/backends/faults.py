"""What a failed request's own words point at, and the way out. Read by the load engine and by the checks."""

import re
from typing import Literal

Refusal = Literal["quota", "access"]  # what refuses a request that the server itself could serve

BROKE_EARLY = "the answer broke off before its first event"
EMPTY = "the answer is empty"
UNFINISHED = "the answer ended without a finish reason"
ONLY_REASONING = "only reasoning, no text: tokens were counted, none was sent"
ONLY_END_MARK = "nothing came before the end mark"

_ENGINE_KEYS = r"ignore_eos|min_tokens|cache_salt|cache_prompt|repeat_penalty|repetition_penalty|top_k|min_p"
_KEY = re.compile(rf"\b({_ENGINE_KEYS}|stream_options|top_p|temperature|max_tokens|model|stream)\b")
_REFUSED_KEY = (
    r"un(supported|recognized|recognised|known|expected)|not (supported|permitted|allowed|recognized|accept)|extra"
    r"|does not (support|accept)|cannot (both )?be|only one|invalid (param|argument|key|field)|deprecated|forbidden"
    r"|no longer|must not|disallow|use \W?max_"
)
_INSTEAD = re.compile(r"\b(?:use|try|replaced by|renamed to|favou?r of)\W+(\w+_\w+)", re.IGNORECASE)
_CONTEXT = (
    r"exceed_context_size|context (size|window|length)|maximum context|max_model_len|could not broadcast"
    r"|`inputs` (tokens|must)|maximum allowed length"
)

_NO_COMPLETIONS = (
    "it may have the chat route alone: `request: {api: chat}` in the scenario asks /v1/chat/completions; is --url the "
    "base URL?"
)

_OVER_LIMIT = (
    "the server refuses what is above its own limit (TGI: --max-concurrent-requests; SGLang: --max-queued-requests): "
    "raise it or load less"
)
_QUOTA = (
    "the server, or a gateway before it, has a quota: raise it or load less; what it serves below that is no figure "
    "of the box"
)

_ACCESS_BEHIND = "the server behind LiteLLM refuses the key that LiteLLM sends it: `api_key` of the model in its config"
_ACCESS = "the endpoint refuses the key: --api-key-env NAME sends the one in that variable, --header K=V any other"
THE_LIMIT = "; its limit: "  # what the headers of an answer tell of it stands after the server's own words

_OVERLOADED = r"overload|too many concurrent|queue"
_COOLS_DOWN = r"no deployments available"  # LiteLLM's
_LITELLM = re.compile(r"litellm\.\w+: (\w+: )*(\w+Exception - )?")  # what it puts before a server's own words
_BEHIND = re.compile(r"litellm\.(Authentication|PermissionDenied)Error")
_REFUSED: tuple[tuple[str, str, Refusal | None], ...] = (  # error, words of its detail; the first that fits
    (
        r"http_4(0[23]|29)|http_5\d\d|error_event",
        r"rate.?limit|too many (requests|calls)|quota|(requests|tokens) per (second|minute|hour|day)|throttl|billing",
        "quota",
    ),
    (r"http_429", rf"{_OVERLOADED}|{_COOLS_DOWN}", None),
    (r"http_4(02|29)", "", "quota"),
    (r"http_40[13]", "", "access"),
    (r"http_[45]00|error_event", r"unauthori[sz]ed|authenticat|\bapi[ _-]?key|no connected db", "access"),
)

_PROXY_PATIENCE = "raise its timeout (nginx: proxy_read_timeout; HAProxy: timeout server; LiteLLM: timeout)"

_HINTS: tuple[tuple[str, str, str], ...] = (  # error, words of its detail, hint; the first that fits
    (
        r"http_4\d\d|http_500|error_event|truncated",
        _CONTEXT,
        "prompt and answer do not fit the engine's context: start it with a longer one, or ask for fewer tokens",
    ),
    (
        r"http_4\d\d|http_500|error_event",
        _ENGINE_KEYS,
        "it refuses a key of this dialect: `--backend openai` sends none that only one engine knows, "
        "`request.force_length: false` no ignore_eos, `request: {omit: [KEY]}` in the scenario any other",
    ),
    (r"http_400", r"HTTP request .*HTTPS|plain HTTP", "the server speaks TLS: --url https://..."),
    (r"http_404", r"^/\S+: .*model|^(?!/).*model", "ask with --model for a model that its /v1/models lists"),
    (
        r"http_4(00|22)",
        r"\bmessages\b.*(required|missing)|(required|missing).*\bmessages\b",
        "it wants a conversation: `request: {api: chat}` in the scenario sends one",
    ),
    (r"http_40[45]", r"^\S*(?<!/chat)/completions(\?|:|$)", _NO_COMPLETIONS),
    (
        r"http_40[45]",
        "",
        "is --url the base URL (a last /v1, /v2 ... is taken as it is), and does the server speak the dialect of "
        "--backend? `request.path` in the scenario names any other path under it",
    ),
    (
        r"http_3\d\d",
        "",
        "a redirect is not followed with a key in hand: drive the address that it points to with --url, or "
        "`request.path` where only the path differs",
    ),
    (
        r"bad_encoding",
        "",
        "identity was asked for: tell the proxy in front of the server not to compress what it streams",
    ),
    (
        r"oversize",
        "",
        "no engine sends so much for what was asked: is --url the endpoint, and is what stands before it healthy?",
    ),
    (
        r"http_429|http_503",
        _COOLS_DOWN,
        "LiteLLM asks no server behind it for a while, since those it has failed: what they said is in its own log",
    ),
    (
        r"http_50\d",
        r"litellm\..*connection error",
        "LiteLLM could not reach the server behind it: does the engine run, and where `api_base` in its config looks?",
    ),
    (
        r"error_event",
        r"litellm\..*(connection error|peer closed|incomplete)",
        "the server behind LiteLLM broke the answer off: see its own log",
    ),
    (r"http_429|http_5(03|29)|error_event", _OVERLOADED, _OVER_LIMIT),
    (r"http_503", r"^$", _OVER_LIMIT),
    (
        r"http_503",
        r"^503 Service|no server is available",
        "a proxy before the server refused these itself: it has a quota (nginx: limit_req, limit_conn; HAProxy: "
        "maxconn), or reaches no server behind it: see its own log",
    ),
    (
        r"http_502",
        "",
        "a proxy before the server could not reach it, or got no HTTP from it: does the engine run, and where the "
        "proxy looks for it?",
    ),
    (r"http_408|http_504", "", f"a proxy before the server gave up waiting for it: {_PROXY_PATIENCE}, or load less"),
    (
        r"error_event",
        r"time(d |-)?out",
        f"a proxy before the server gave up waiting for the next token: {_PROXY_PATIENCE}, or load less",
    ),
    (
        r"truncated",
        r"^the answer broke off, HTTP",
        f"the server broke off, or a proxy before it gave up waiting for the next token: {_PROXY_PATIENCE}",
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
    (
        r"connect",
        r"self.signed|unable to get (local )?issuer|unknown ca",
        "the server's certificate is signed by nobody that is known here: --ca-file PEM, with the certificate itself "
        "or that of its CA; --url must then have the name or the address in it that it was made for",
    ),
    (
        r"connect",
        r"(hostname|IP address) mismatch",
        "the certificate was made for another name: drive that name with --url (in /etc/hosts, where no DNS knows it)",
    ),
    (r"connect", r"certificate has expired|not yet valid", "renew the server's certificate, or look at both clocks"),
    (r"connect", r"WRONG_VERSION_NUMBER|RECORD_LAYER", "the server speaks no TLS there: --url http://..."),
    (
        r"no_tokens",
        ONLY_REASONING,
        "the model thinks unseen until its tokens are used up: ask for more of them, or turn its reasoning off "
        "(--extra-body)",
    ),
    (r"no_tokens", ONLY_END_MARK, "TGI answers so to `tools` that it does not call: leave them out of --extra-body"),
    (
        r"short",
        "",
        "the server gave up early or gives no more than this: see its own limits on time, queue and length, "
        "or ask for fewer tokens",
    ),
    (r"aborted", "", "the server gave these requests up: see its own log; it is overloaded, or set to a deadline"),
    (r"filtered", "", "a content filter ended these answers: turn it off, or ask with other prompts"),
    (
        r"connect",
        r"^TLS",
        "--ca-file PEM names the authority that signed the server's certificate; the name in it must be the URL's",
    ),
    (r"connect", "", "nobody listens there any more: see the server's own log"),
)


def refused_for(error: str, detail: str | None) -> Refusal | None:
    """What a request was refused for that tells nothing of what the server can serve: the account's quota, or access.

    None: any other failure, one by the server's own limit among them (429 of TGI: "Model is overloaded").
    """
    words = _LITELLM.sub("", (detail or "").partition(THE_LIMIT)[0])
    for kind, pattern, refusal in _REFUSED:
        if re.fullmatch(kind, error) and re.search(pattern, words, re.IGNORECASE):
            return refusal
    return None


def hint_for(error: str, detail: str | None) -> str | None:
    """The way out of a request's `error` and `error_detail`; None where their words point at nothing known."""
    refusal = refused_for(error, detail)
    if refusal is not None:
        return _QUOTA if refusal == "quota" else _ACCESS_BEHIND if _BEHIND.search(detail or "") else _ACCESS
    detail = (detail or "").partition(THE_LIMIT)[0]
    if re.fullmatch(r"http_4(00|22)|error_event", error) and not re.search(_CONTEXT, detail, re.IGNORECASE):
        hint = _hint_for_key(detail)
        if hint is not None:
            return hint
    for kind, words, hint in _HINTS:
        if re.fullmatch(kind, error) and re.search(words, detail, re.IGNORECASE):
            return hint
    return None


def hint_for_tls(detail: str) -> str | None:
    """The way out where a connection failed over its certificate; None where it failed otherwise."""
    return hint_for("connect", detail) if detail.startswith("TLS") else None


def _hint_for_key(detail: str) -> str | None:
    """Where a server complains of a key that every dialect sends: how to leave it out, or to call it otherwise."""
    named = [found[1] for found in _KEY.finditer(detail)]
    if not named or not re.search(_REFUSED_KEY, detail, re.IGNORECASE):
        return None
    key = next((key for key in ("stream_options", "top_p") if key in named), named[0])
    if re.fullmatch(_ENGINE_KEYS, key):
        return None
    instead = _INSTEAD.search(detail)
    if instead is not None and instead[1] != key:
        return f"it refuses `{key}`: `request: {{rename: {{{key}: {instead[1]}}}}}` in the scenario"
    lost = " (who counts the tokens then? its tokenizer, if it has one)" if key == "stream_options" else ""
    return f"it refuses `{key}`: `request: {{omit: [{key}]}}` in the scenario leaves it out{lost}"


REFUSALS = (301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 422)  # the next request would get the same answer
