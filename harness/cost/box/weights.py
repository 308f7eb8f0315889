"""A model's size, its weights' bits and its attention: from the engine where it tells, by the model's name last."""

import re
from dataclasses import dataclass, replace

from harness.base.weights_name import (
    bare_name,
    contradicts,
    own_name,
    plain_quantization,
    quantization_named,
    sizes_named,
    tells_weights,
)
from harness.rundir.identity import Identity
from harness.rundir.manifest import RunManifest

KEY_AND_VALUE = 2


@dataclass(frozen=True, slots=True)
class Parameters:
    """How large a model is: all weights, and those that one token uses."""

    total: float
    active: float


@dataclass(frozen=True, slots=True)
class _Known:
    """A model whose name does not say, or says wrongly, what its own card and config.json say."""

    pattern: str
    billions: tuple[float, float] | None = None  # all, active
    attention: tuple[int, int, int] | None = None  # layers, KV heads, dimension of a head
    bits: float | None = None  # that it is published in


# the first whose pattern is found in the name; patterns are looked for anywhere and have no repeats of repeats
_KNOWN = (
    _Known(r"gpt-oss-120b", (117, 5.1), (36, 8, 64), 4.25),
    _Known(r"gpt-oss-20b", (21, 3.6), (24, 8, 64), 4.25),
    _Known(r"llama-?4-scout", (109, 17), (48, 8, 128)),
    _Known(r"llama-?4-maverick", (400, 17), (48, 8, 128)),
    _Known(r"mixtral-8x7b", (46.7, 12.9), (32, 8, 128)),
    _Known(r"mixtral-8x22b", (141, 39), (56, 8, 128)),
    _Known(r"deepseek-(?:v3|r1)(?!-?distill)", (671, 37), None, 8),
    _Known(r"kimi-k2", (1000, 32)),
    _Known(r"glm-4\.[56]-air", (106, 12)),
    _Known(r"glm-4\.[56]", (355, 32)),
    _Known(r"llama-?3(?:\.\d)?-405b", attention=(126, 8, 128)),
    _Known(r"llama-?3(?:\.\d)?-70b", attention=(80, 8, 128)),
    _Known(r"llama-?3(?:\.\d)?-8b", attention=(32, 8, 128)),
    _Known(r"llama-?3\.2-3b", attention=(28, 8, 128)),
    _Known(r"llama-?3\.2-1b", attention=(16, 8, 64)),
    _Known(r"llama-?2-70b", attention=(80, 8, 128)),
    _Known(r"llama-?2-13b", attention=(40, 40, 128)),
    _Known(r"llama-?2-7b", attention=(32, 32, 128)),
    _Known(r"mistral-7b", attention=(32, 8, 128)),
    _Known(r"qwen2\.5-72b", attention=(80, 8, 128)),
    _Known(r"qwen2\.5-32b", attention=(64, 8, 128)),
    _Known(r"qwen2\.5-14b", attention=(48, 8, 128)),
    _Known(r"qwen2\.5-7b", attention=(28, 4, 128)),
    _Known(r"qwen3-8b", attention=(36, 8, 128)),
    _Known(r"qwen3-32b", attention=(64, 8, 128)),
    _Known(r"qwen3-30b-a3b", attention=(48, 4, 128)),
)
_DISTILLED = "distill"  # deepseek-r1-distill-llama-8b is a llama of 8B


def _plain(model: str) -> str:
    return bare_name(model).lower().replace("_", "-").replace(":", "-").replace("meta-", "")


def _known(model: str) -> _Known | None:
    name = _plain(model)
    if _DISTILLED in name:
        return None
    return next((known for known in _KNOWN if re.search(known.pattern, name)), None)


def parameters_of(model: str) -> Parameters | None:
    """`Llama-3.3-70B` is 70e9, `Qwen3-30B-A3B` uses 3e9 of 30e9, `gpt-oss-120b` 5.1e9 of 117e9. None when the name
    does not say, or is a mix of unlisted experts that says only their size (`4x7B`)."""
    known = _known(model)
    if known is not None and known.billions is not None:
        return Parameters(known.billions[0] * 1e9, known.billions[1] * 1e9)
    sizes = sizes_named(model)
    return None if sizes is None else Parameters(*sizes)


_WIDTH = re.compile(
    r"(?P<nvfp4>nvfp4)|(?P<mxfp4>mxfp4)|(?P<four>fp4|nf4|int4|w4a\d)|(?P<eight>int8|fp8|w8a\d)"
    r"|(?P<sixteen>bf16|bfloat16|fp16|float16|f16|16-?bit)|(?<![a-z])i?q(?P<gguf>[2-8])(?:_|\b)|(?<!\d)(?P<said>[2-8])-?bit"
)
_WIDTHS = {"nvfp4": 4.5, "mxfp4": 4.25, "four": 4.0, "eight": 8.0, "sixteen": 16.0}  # with their scales
_METHOD = re.compile(r"awq|gptq|bnb|bitsandbytes")  # of 4 bits unless the name says otherwise
_METHOD_BITS = 4.0
_FP4 = re.compile(r"fp4")


def bits_per_weight(model: str, quantization: str | None) -> float | None:
    """Bits of one weight, from the engine's quantization, else the model's name; None when neither says."""
    name = model.lower()
    for text in ((quantization or "").lower(), name):
        found = _WIDTH.search(text)
        if found:
            kind = found.lastgroup or ""
            return _WIDTHS[kind] if kind in _WIDTHS else float(found[kind])
    if _METHOD.search(f"{quantization or ''} {name}".lower()):
        return _METHOD_BITS
    known = _known(model)
    return known.bits if known is not None else None


def kv_values_per_token(model: str) -> int | None:
    """2 (key, value) x layers x heads x dimension, by the model's name; None for one that is not listed here.

    Example: 2 x 80 x 8 x 128 is 163,840.
    """
    known = _known(model)
    return None if known is None or known.attention is None else _kv_values(*known.attention)


def _kv_values(layers: int, kv_heads: int, head_dim: int) -> int:
    return KEY_AND_VALUE * layers * kv_heads * head_dim


@dataclass(frozen=True, slots=True)
class Weights:
    """What is known of a model's weights; None: nobody says."""

    name: str
    size: Parameters | None
    bits: float | None
    is_fp4: bool
    kv_values: int | None  # of one token
    quantization: str | None  # in the one spelling
    is_known: bool  # whether anybody says which weights they are: an alias does not

    @property
    def least_bits(self) -> float:
        """Bits of a weight; where they are unknown no fewer are assumed than 4."""
        return self.bits if self.bits is not None else _METHOD_BITS


def weights_unsaid(weights: Weights | None) -> str:
    """That nobody says which weights were served, in words."""
    behind = f"are behind the name `{bare_name(weights.name)}`" if weights is not None else "were served"
    return f"nobody says which weights {behind}"


def weights_named(model: str, quantization: str | None = None) -> Weights:
    """As far as the name and the quantization tell."""
    said, known = quantization.lower() if quantization else model.lower(), _known(model)
    is_fp4 = bool(_FP4.search(said)) or (quantization is None and known is not None and known.bits == _WIDTHS["mxfp4"])
    bits = bits_per_weight(model, quantization)
    spelled = plain_quantization(quantization) if quantization else quantization_named(model)
    return Weights(model, parameters_of(model), bits, is_fp4, kv_values_per_token(model), spelled, tells_weights(model))


def weights_of(run: RunManifest) -> Weights | None:
    """The weights of a run: what its engine said of them, the name's word for the rest; None: nameless."""
    said = run.identity or Identity()
    told = said.weights is not None and tells_weights(said.weights.value)
    # a served name may be anything; the weights' own name says more, unless it is a place that says nothing
    own = own_name(said.weights.value) if said.weights is not None and (told or run.model is None) else run.model
    if own is None:
        return None
    quantization = run.quantization or (quantization_named(said.weights.value) if said.weights is not None else None)
    by_name = weights_named(own, quantization)
    place = sizes_named(said.weights.value) if said.weights is not None else None
    if place is not None and contradicts(own, int(place[0])):  # `/models/70b` under another's name
        by_name = replace(by_name, size=None, kv_values=None, is_known=False)
    elif by_name.size is None and run.model is not None:
        by_name = replace(weights_named(run.model, quantization), name=own, is_known=by_name.is_known)
    if said.kv_values is not None:
        by_name = replace(by_name, kv_values=said.kv_values.value)
    if said.parameters is None:
        return by_name
    if contradicts(own, said.parameters.value):  # then it is a name that somebody gave it
        shape = said.kv_values.value if said.kv_values is not None else None
        by_name = replace(by_name, size=None, kv_values=shape, is_known=False)
    total = float(said.parameters.value)
    named = by_name.size
    if said.active_parameters is not None:
        active = float(said.active_parameters.value)
    else:
        active = total * named.active / named.total if named is not None else total
    return replace(by_name, size=Parameters(total, active))
