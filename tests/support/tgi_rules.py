"""What TGI's router refuses, in its order and words: types first (axum, text/plain), then values (its validation)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 2_000_000
NOT_JSON = "Failed to parse the request body as JSON: "
WRONG_TYPE = "Failed to deserialize the JSON body into the target type: "

_PARAMETERS = {  # name: kind; `?` may be null
    "best_of": "usize?", "temperature": "f32?", "repetition_penalty": "f32?", "frequency_penalty": "f32?",
    "top_k": "i32?", "top_p": "f32?", "typical_p": "f32?", "do_sample": "bool", "max_new_tokens": "u32?",
    "return_full_text": "bool?", "stop": "strings", "truncate": "usize?", "watermark": "bool",
    "details": "bool", "decoder_input_details": "bool", "seed": "u64?", "top_n_tokens": "u32?",
    "grammar": "object?", "adapter_id": "string?",
}  # fmt: skip
FIELDS = {
    "generate": {"inputs": "string!", "parameters": "object", "stream": "bool"},
    "chat": {
        "messages": "messages!", "model": "string?", "max_tokens": "u32?", "temperature": "f32?", "top_p": "f32?",
        "frequency_penalty": "f32?", "presence_penalty": "f32?", "stop": "strings?", "seed": "u64?",
        "stream": "bool", "stream_options": "object", "logprobs": "bool?", "top_logprobs": "u32?",
    },
    "completions": {
        "prompt": "prompt!", "model": "string?", "max_tokens": "u32?", "temperature": "f32?", "top_p": "f32?",
        "repetition_penalty": "f32?", "frequency_penalty": "f32?", "stop": "strings?", "seed": "u64?",
        "stream": "bool", "suffix": "string?",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that is no generation."""

    status: int
    text: str
    kind: str | None = None  # error_type of a JSON body; None: text/plain


@dataclass(frozen=True)
class Limits:
    """What /info says, as far as requests are held against it."""

    max_input_tokens: int = 1024
    max_total_tokens: int = 2048
    max_best_of: int = 2
    max_stop_sequences: int = 4
    max_client_batch_size: int = 4
    max_top_n_tokens: int = 5


def _is(value: Any, kind: str) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    strings = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return {
        "f32": number,
        "i32": whole,
        "u32": whole and 0 <= value < 2**32,
        "u64": whole and 0 <= value < 2**64,
        "usize": whole and value >= 0,
        "bool": isinstance(value, bool),
        "string": isinstance(value, str),
        "strings": strings,
        "object": isinstance(value, dict),
        "messages": isinstance(value, list) and all(isinstance(m, dict) and "role" in m for m in value),
        "prompt": isinstance(value, str) or (strings and bool(value)),
    }[kind]


def _check_types(data: dict[str, Any], fields: dict[str, str], path: str = "") -> None:
    for name, kind in fields.items():
        if name not in data:
            if kind.endswith("!"):
                raise Refusal(422, f"{WRONG_TYPE}missing field `{name}` at line 1 column 2")
            continue
        value = data[name]
        if not (value is None and kind.endswith("?")) and not _is(value, kind.rstrip("?!")):
            shown = json.dumps(value)[:40]
            raise Refusal(422, f"{WRONG_TYPE}{path}{name}: invalid type: {shown}, expected {kind} at line 1 column 9")


def parse(body: bytes, content_type: str, form: str) -> dict[str, Any]:
    """The request's object, or the extractor's refusal."""
    if not content_type.startswith("application/json"):
        raise Refusal(415, "Expected request with `Content-Type: application/json`")
    if len(body) > MAX_BODY_BYTES:
        raise Refusal(413, "Failed to buffer the request body: length limit exceeded")
    try:
        data = json.loads(body)
    except ValueError:
        raise Refusal(400, f"{NOT_JSON}expected value at line 1 column 1") from None
    if not isinstance(data, dict):
        raise Refusal(422, f"{WRONG_TYPE}invalid type, expected struct at line 1 column 1")
    _check_types(data, FIELDS[form])
    if form == "generate":
        _check_types(data.get("parameters", {}), _PARAMETERS, "parameters.")
    if "stream_options" in data:
        _check_types(data["stream_options"], {"include_usage": "bool"}, "stream_options.")
    return data


def _invalid(text: str) -> Refusal:
    return Refusal(422, f"Input validation error: {text}", "validation")


def check_stream_only(parameters: dict[str, Any]) -> None:
    """What streams alone refuse, before anything else is looked at."""
    if parameters.get("best_of") not in (None, 1):
        raise _invalid("`best_of` != 1 is not supported when streaming tokens")
    if parameters.get("decoder_input_details"):
        raise _invalid("`decoder_input_details` == true is not supported when streaming tokens")


def validate(inputs: str, p: dict[str, Any], input_tokens: int, limits: Limits) -> int:
    """The number of tokens to generate at most, or the validation's refusal."""
    best_of = 1 if p.get("best_of") is None else p["best_of"]
    sampling = p.get("do_sample") or any(
        p.get(name) is not None for name in ("temperature", "top_k", "top_p", "typical_p")
    )
    _check_best_of(best_of, sampling, limits)
    _check_numbers(p)
    stop = p.get("stop") or []
    if len(stop) > limits.max_stop_sequences:
        raise _invalid(f"`stop` supports up to {limits.max_stop_sequences} stop sequences. Given: {len(stop)}")
    if best_of > 1 and p.get("seed") is not None:
        raise _invalid("`seed` must not be set when `best_of` > 1")
    top_n = p.get("top_n_tokens") or 0
    if top_n > limits.max_top_n_tokens:
        raise _invalid(f"`top_n_tokens` must be >= 0 and <= {limits.max_top_n_tokens}. Given: {top_n}")
    if not inputs:
        raise _invalid("`inputs` cannot be empty")
    asked = p.get("max_new_tokens")
    wanted: int = limits.max_total_tokens - input_tokens if asked is None else asked
    if input_tokens + min(wanted, 1024) > limits.max_total_tokens:
        raise _invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {input_tokens} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    if input_tokens > limits.max_input_tokens:
        raise _invalid(f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {input_tokens}")
    return wanted


def _check_best_of(best_of: int, sampling: bool, limits: Limits) -> None:
    if not 0 < best_of <= limits.max_best_of:
        raise _invalid(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")
    if best_of > 1 and not sampling:
        raise _invalid("you must use sampling when `best_of` is > 1")


def _check_numbers(p: dict[str, Any]) -> None:
    for name in ("temperature", "repetition_penalty"):
        if p.get(name) is not None and p[name] <= 0:
            raise _invalid(f"`{name}` must be strictly positive")
    if p.get("frequency_penalty") is not None and not -2 <= p["frequency_penalty"] <= 2:
        raise _invalid("`frequency_penalty` must be >= -2.0 and <= 2.0")
    for name in ("top_p", "typical_p"):
        if p.get(name) is not None and not 0 < p[name] < 1:
            raise _invalid(f"`{name}` must be > 0.0 and < 1.0")
    if p.get("top_k") is not None and p["top_k"] <= 0:
        raise _invalid("`top_k` must be strictly positive")
    if p.get("max_new_tokens") == 0:
        raise _invalid("`max_new_tokens` must be strictly positive")
    if p.get("truncate") == 0:
        raise _invalid("`truncate` must be strictly positive and less than 1024. Given: 0")
