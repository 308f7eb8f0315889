"""What the oracle says: its tokens, OpenAI events and answers, model list and metrics. Bytes only, no I/O.

A token of the oracle is a piece of at most eight characters of a whitespace-separated word, with the
whitespace before it: "a wonderful day" is `a| wonderfu|l| day`, 4 tokens. The k-th generated token is
`" %03d" % (k % 1000)`, one token by the same rule, so that a client that counts by tokenizing the text
must come to the true number too.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from harness.calibration.oracle.http import BadRequestError, Request, chunk

MODEL = "oracle"
MAX_MODEL_LEN = 131_072
MAX_TOKENS = 16  # where a request does not say
DONE = b"data: [DONE]\n\n"
PIECE_CHARACTERS = 8
_TOKEN_TEXTS = tuple(b" %03d" % k for k in range(1000))


@dataclass(frozen=True, slots=True)
class Schedule:
    """The server's own, where a request's headers do not say otherwise."""

    ttft_s: float
    itl_s: float


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


def count_tokens(text: str) -> int:
    """Tokens of a text; whitespace at its end belongs to none."""
    return sum((len(word) + PIECE_CHARACTERS - 1) // PIECE_CHARACTERS for word in text.split())


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


def parse_work(request: Request, schedule: Schedule, fallback_id: str) -> Work:
    """What a POST to /v1/completions or /v1/chat/completions asks for.

    Raises:
        BadRequestError: not JSON, no prompt, or a number that is none or out of range.
    """
    data = parse_object(request.body)
    is_chat = request.path.endswith("/chat/completions")
    asked = data.get("max_completion_tokens") or data.get("max_tokens")
    max_tokens = MAX_TOKENS if asked is None else asked
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or max_tokens < 1:
        raise BadRequestError(400, f"max_tokens must be a whole number above 0, got {max_tokens!r}")
    options = data.get("stream_options") or {}
    return Work(
        request_id=request.headers.get("x-request-id") or fallback_id,
        path=request.path,
        model=str(data.get("model") or MODEL),
        is_chat=is_chat,
        is_streaming=bool(data.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        prompt_tokens=count_prompt(data),
        max_tokens=max_tokens,
        ttft_s=_seconds(request.headers, "x-oracle-ttft-s", schedule.ttft_s),
        itl_s=_seconds(request.headers, "x-oracle-itl-s", schedule.itl_s),
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
    if isinstance(data.get("messages"), list):
        return sum(count_tokens(_message_text(message)) for message in data["messages"])
    match data.get("prompt"):
        case str(text) | [str(text)]:
            return count_tokens(text)
        case [int(), *_] as ids:
            return len(ids)
        case [[int(), *_] as ids]:
            return len(ids)
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
        self._before, self._after = self._around(None)
        _, self._after_last = self._around("length")

    def _around(self, finish_reason: str | None) -> tuple[bytes, bytes]:
        """An event before and after its token's text."""
        text = {"delta": {"content": "@@"}} if self._work.is_chat else {"text": "@@"}
        choice = {"index": 0, **text, "logprobs": None, "finish_reason": finish_reason}
        before, after = _event({**self._common, "choices": [choice]}).rsplit(b"@@", 1)
        return before, after

    def role(self) -> bytes:
        """The chat stream's first chunk: a role and no token."""
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return chunk(_event({**self._common, "choices": [choice]}))

    def token(self, k: int) -> bytes:
        """The chunk of token k (from 0); the last one carries the finish reason."""
        after = self._after_last if k == self._work.max_tokens - 1 else self._after
        return chunk(self._before + _TOKEN_TEXTS[k % 1000] + after)

    def end(self) -> bytes:
        """Usage, where it was asked for, and `[DONE]`."""
        if not self._work.include_usage:
            return chunk(DONE)
        usage = {**self._common, "choices": [], "usage": _usage(self._work)}
        return chunk(_event(usage)) + chunk(DONE)


def _event(data: object) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


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


def models() -> dict[str, Any]:
    """The body of GET /v1/models."""
    model = {
        "id": MODEL, "object": "model", "created": 0, "owned_by": "oracle", "root": MODEL,
        "max_model_len": MAX_MODEL_LEN,
    }  # fmt: skip
    return {"object": "list", "data": [model]}


def tokenized(data: Mapping[str, Any]) -> dict[str, Any]:
    """The body of POST /tokenize: vLLM's, but for the tokens themselves."""
    return {"count": count_prompt(data), "max_model_len": MAX_MODEL_LEN}


@dataclass(slots=True)
class Counters:
    """What the server has done since it started; true counts."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    finished: int = 0
    running: int = 0


def metrics_text(counters: Counters) -> bytes:
    """The body of GET /metrics: the true counts under vLLM's names."""
    label = f'{{engine="0",model_name="{MODEL}"}}'
    done = f'{{engine="0",finished_reason="length",model_name="{MODEL}"}}'
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
