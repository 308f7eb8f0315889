"""What the oracle says: its tokens, OpenAI events and answers, model list and metrics. Bytes only, no I/O.

A token of the oracle is a piece of at most eight characters of a whitespace-separated word, with the
whitespace before it: "a wonderful day" is `a| wonderfu|l| day`, 4 tokens. The k-th generated token is
`" %03d" % (k % 1000)`, one token by the same rule, so that a client that counts by tokenizing the text
must come to the true number too.
"""

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from harness.calibration.oracle.http import BadRequestError, Request, chunk

VOCABULARY = 32_000
DONE = b"data: [DONE]\n\n"
PIECE_CHARACTERS = 8
_PIECE = re.compile(rf"\s*\S{{1,{PIECE_CHARACTERS}}}")
_TOKEN_TEXTS = tuple(b" %03d" % k for k in range(1000))


@dataclass(frozen=True, slots=True)
class Defaults:
    """The server's own schedule and name, where a request does not say otherwise."""

    ttft_s: float = 0.02
    itl_s: float = 0.02
    max_tokens: int = 16
    model: str = "oracle"
    max_model_len: int = 131_072


@dataclass(frozen=True, slots=True)
class Work:
    """One generation as it was asked for."""

    request_id: str
    path: str
    model: str
    is_chat: bool
    is_streaming: bool
    include_usage: bool
    prompt_tokens: int
    max_tokens: int
    ttft_s: float
    itl_s: float

    def planned_offset_ns(self, k: int) -> int:
        """When token k (from 0) is due, nanoseconds after the request's last byte: ttft + k * itl."""
        return round((self.ttft_s + k * self.itl_s) * 1e9)


def tokenize(text: str) -> list[str]:
    """The oracle's tokens of a text; whitespace at its end belongs to none."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """How many `tokenize` gives, ten times as fast: it is done between two tokens of other streams."""
    return sum((len(word) + PIECE_CHARACTERS - 1) // PIECE_CHARACTERS for word in text.split())


def token_id(piece: str) -> int:
    """A stable id for a piece; ids of different pieces may be equal."""
    return zlib.crc32(piece.encode()) % VOCABULARY


def token_text(k: int) -> str:
    """The text of the k-th generated token, from 0."""
    return _TOKEN_TEXTS[k % 1000].decode()


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body.

    Raises:
        BadRequestError: not JSON, or not an object.
    """
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(400, f"body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise BadRequestError(400, f"body is a {type(data).__name__}, expected an object")
    return data


def parse_work(request: Request, defaults: Defaults, fallback_id: str) -> Work:
    """What a POST to /v1/completions or /v1/chat/completions asks for.

    Raises:
        BadRequestError: not JSON, no prompt, or a number that is none or out of range.
    """
    data = parse_object(request.body)
    is_chat = request.path.endswith("/chat/completions")
    asked = data.get("max_completion_tokens") or data.get("max_tokens")
    max_tokens = defaults.max_tokens if asked is None else asked
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        raise BadRequestError(400, f"max_tokens must be a whole number above 0, got {max_tokens!r}")
    options = data.get("stream_options") or {}
    return Work(
        request_id=request.headers.get("x-request-id") or fallback_id,
        path=request.path,
        model=str(data.get("model") or defaults.model),
        is_chat=is_chat,
        is_streaming=bool(data.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        prompt_tokens=count_prompt(data),
        max_tokens=max_tokens,
        ttft_s=_seconds(request.headers, "x-oracle-ttft-s", defaults.ttft_s),
        itl_s=_seconds(request.headers, "x-oracle-itl-s", defaults.itl_s),
    )


def _seconds(headers: Mapping[str, str], name: str, default: float) -> float:
    text = headers.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BadRequestError(400, f"{name} must be seconds, 0 or more, got {text[:80]!r}")
    return value


def count_prompt(data: Mapping[str, Any]) -> int:
    """Tokens of `prompt` (text, or token ids) or of `messages` (their texts; no template is added).

    Raises:
        BadRequestError: neither is there, or of another type.
    """
    prompt = _prompt(data)
    return len(prompt) if isinstance(prompt, list) else count_tokens(prompt)


def prompt_ids(data: Mapping[str, Any]) -> list[int]:
    """Token ids of `prompt` or `messages`; raises as `count_prompt`."""
    prompt = _prompt(data)
    return prompt if isinstance(prompt, list) else [token_id(piece) for piece in tokenize(prompt)]


def _prompt(data: Mapping[str, Any]) -> str | list[int]:
    if isinstance(data.get("messages"), list):
        return " ".join(_message_text(message) for message in data["messages"])
    prompt = data.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if isinstance(prompt, str):
        return prompt
    if isinstance(prompt, list) and prompt and all(isinstance(t, int) for t in prompt):
        return prompt
    raise BadRequestError(400, "`prompt` must be one text or a list of token ids, or `messages` a list")


def _message_text(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


class EventWriter:
    """Renders the events of one stream: all but the token's text is made once, before the first token."""

    def __init__(self, work: Work, created_s: int) -> None:
        self._work = work
        kind = "chat.completion.chunk" if work.is_chat else "text_completion"
        self._common = {"id": _answer_id(work), "object": kind, "created": created_s, "model": work.model}
        before, after = self._choice_event(None).rsplit(b"@@", 1)
        self._before, self._after = b"data: " + before, after + b"\n\n"
        before, after = self._choice_event("length").rsplit(b"@@", 1)
        self._after_last = after + b"\n\n"

    def _choice_event(self, finish_reason: str | None) -> bytes:
        text = {"delta": {"content": "@@"}} if self._work.is_chat else {"text": "@@"}
        choice = {"index": 0, **text, "logprobs": None, "finish_reason": finish_reason}
        return orjson.dumps({**self._common, "choices": [choice]})

    def role(self) -> bytes:
        """The chat stream's first chunk: a role and no token."""
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return chunk(b"data: " + orjson.dumps({**self._common, "choices": [choice]}) + b"\n\n")

    def token(self, k: int) -> bytes:
        """The chunk of token k (from 0); the last one carries the finish reason."""
        after = self._after_last if k == self._work.max_tokens - 1 else self._after
        return chunk(self._before + _TOKEN_TEXTS[k % 1000] + after)

    def end(self) -> bytes:
        """Usage, where it was asked for, and `[DONE]`."""
        if not self._work.include_usage:
            return chunk(DONE)
        usage = {**self._common, "choices": [], "usage": _usage(self._work)}
        return chunk(b"data: " + orjson.dumps(usage) + b"\n\n") + chunk(DONE)


def whole_answer(work: Work, created_s: int) -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    text = "".join(token_text(k) for k in range(work.max_tokens))
    message = {"message": {"role": "assistant", "content": text}} if work.is_chat else {"text": text}
    return {
        "id": _answer_id(work),
        "object": "chat.completion" if work.is_chat else "text_completion",
        "created": created_s,
        "model": work.model,
        "choices": [{"index": 0, **message, "logprobs": None, "finish_reason": "length"}],
        "usage": _usage(work),
    }


def _answer_id(work: Work) -> str:
    return f"{'chatcmpl' if work.is_chat else 'cmpl'}-{work.request_id}"


def _usage(work: Work) -> dict[str, int]:
    return {
        "prompt_tokens": work.prompt_tokens,
        "completion_tokens": work.max_tokens,
        "total_tokens": work.prompt_tokens + work.max_tokens,
    }


def models(defaults: Defaults) -> dict[str, Any]:
    """The body of GET /v1/models."""
    model = {
        "id": defaults.model, "object": "model", "created": 0, "owned_by": "oracle",
        "root": defaults.model, "max_model_len": defaults.max_model_len,
    }  # fmt: skip
    return {"object": "list", "data": [model]}


def tokenized(data: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """The body of POST /tokenize, in vLLM's form."""
    ids = prompt_ids(data)
    return {"count": len(ids), "max_model_len": defaults.max_model_len, "tokens": ids, "token_strs": None}


@dataclass(slots=True)
class Counters:
    """What the server has done since it started; true counts."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    finished: int = 0
    running: int = 0


def metrics_text(counters: Counters, model: str) -> bytes:
    """The body of GET /metrics: the true counts under vLLM's names."""
    label = f'{{engine="0",model_name="{model}"}}'
    done = f'{{engine="0",finished_reason="length",model_name="{model}"}}'
    rows = (
        ("vllm:num_requests_running", "gauge", "", label, counters.running),
        ("vllm:num_requests_waiting", "gauge", "", label, 0),
        ("vllm:prompt_tokens", "counter", "_total", label, counters.prompt_tokens),
        ("vllm:generation_tokens", "counter", "_total", label, counters.generation_tokens),
        ("vllm:request_success", "counter", "_total", done, counters.finished),
    )
    lines = []
    for name, kind, suffix, labels, value in rows:
        lines += [f"# TYPE {name}{suffix} {kind}", f"{name}{suffix}{labels} {value:.1f}"]
    return ("\n".join(lines) + "\n").encode()
