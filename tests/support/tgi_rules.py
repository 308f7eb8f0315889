"""What TGI's router refuses, in its order and words: types first (axum, text/plain), then values (its validation)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 2_000_000
CHUNK = 1024  # tokens that are generated in one go
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
        "max_completion_tokens": "u32?", "response_format": "object",
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


_EXPECTED = {"string": "a string", "bool": "a boolean", "strings": "a sequence", "messages": "a sequence"}


def _wrong(body: bytes, name: str, path: str = "", what: str | None = None) -> Refusal:
    """Told of the place where the value of `name` ends."""
    text = body.decode()
    at = re.search(rf'"{name}"\s*:\s*', text)
    column = len(text) if at is None else json.JSONDecoder().raw_decode(text, at.end())[1]
    return Refusal(422, f"{WRONG_TYPE}{path}{what} at line 1 column {column}")


def _invalid_type(value: Any, kind: str) -> str:
    if kind == "prompt":
        return "data did not match any variant of untagged enum PromptDeserializer"
    shown = json.dumps(value, ensure_ascii=False)
    words = {
        int: f"integer `{shown}`", float: f"floating point `{shown}`", str: f"string {shown}",
        bool: f"boolean `{shown}`", list: "sequence", dict: "map", type(None): "null",
    }  # fmt: skip
    return f"invalid type: {words[type(value)]}, expected {_EXPECTED.get(kind, kind)}"


def _check_types(body: bytes, data: dict[str, Any], fields: dict[str, str], path: str = "") -> None:
    for name, kind in fields.items():
        if name not in data:
            if kind.endswith("!"):
                raise _wrong(body, "", what=f"missing field `{name}`")
            continue
        value, plain = data[name], kind.rstrip("?!")
        if not (value is None and kind.endswith("?")) and not _is(value, plain):
            raise _wrong(body, name, f"{path}{name}: ", _invalid_type(value, plain))


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        words = "key must be a string" if "property name" in error.msg else "expected value"
        raise Refusal(400, f"{NOT_JSON}{words} at line {error.lineno} column {error.colno}") from None


def parse(body: bytes, content_type: str, form: str) -> dict[str, Any]:
    """The request's object, or the extractor's refusal."""
    if not content_type.startswith("application/json"):
        raise Refusal(415, "Expected request with `Content-Type: application/json`")
    if len(body) > MAX_BODY_BYTES:
        raise Refusal(413, "Failed to buffer the request body: length limit exceeded")
    data = _loaded(body)
    if not isinstance(data, dict):
        raise Refusal(422, f"{WRONG_TYPE}invalid type, expected struct at line 1 column 1")
    _check_types(body, data, FIELDS[form])
    if form == "generate":
        _check_types(body, data.get("parameters", {}), _PARAMETERS, "parameters.")
    if "stream_options" in data:
        _check_types(body, data["stream_options"], {"include_usage": "bool"}, "stream_options.")
    if "value" not in data.get("response_format", {"value": None}):
        raise _wrong(body, "response_format", "response_format: ", "missing field `value`")
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
    _check_best_of(p, limits)
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
    if input_tokens + min(wanted, CHUNK) > limits.max_total_tokens:
        raise _invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {limits.max_total_tokens}. "
            f"Given: {input_tokens} `inputs` tokens and {wanted} `max_new_tokens`"
        )
    if input_tokens > limits.max_input_tokens:
        raise _invalid(f"`inputs` must have less than {limits.max_input_tokens} tokens. Given: {input_tokens}")
    if asked is None:  # in whole chunks, the last of them too
        return wanted if wanted <= CHUNK else -(-wanted // CHUNK) * CHUNK
    return min(wanted, CHUNK)


def _check_best_of(p: dict[str, Any], limits: Limits) -> None:
    best_of = p.get("best_of")
    if best_of is None:
        return
    if not 0 < best_of <= limits.max_best_of:
        raise _invalid(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {best_of}")
    sampling = p.get("do_sample") or any(
        p.get(name) is not None for name in ("temperature", "top_k", "top_p", "typical_p")
    )
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
