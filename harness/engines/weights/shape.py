"""The attention's shape of weights that lie on this machine, by their own config.json."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.base.whole import regular

KEY_AND_VALUE = 2
_CONTAINER = "compressed-tensors"  # holds weights of any width
_LARGEST_BYTES = 1 << 20
_PART_OF = re.compile(r"-of-(\d{1,6})\.")
_Count = Annotated[int, Field(gt=0, le=1_000_000)]


class _Text(BaseModel):
    """A decoder's config; older ones have as many KV heads as heads, and no dimension of their own."""

    model_config = ConfigDict(extra="ignore", strict=True)

    num_hidden_layers: _Count
    num_attention_heads: _Count
    num_key_value_heads: _Count | None = None
    head_dim: _Count | None = None
    hidden_size: _Count | None = None

    @property
    def kv_values(self) -> int | None:
        """2 (key, value) x layers x KV heads x dimension."""
        dim = self.head_dim or (self.hidden_size // self.num_attention_heads if self.hidden_size else None)
        heads = self.num_key_value_heads or self.num_attention_heads
        return None if dim is None else KEY_AND_VALUE * self.num_hidden_layers * heads * dim


class _Several(BaseModel):
    """A model of text and images has the decoder's config inside."""

    text_config: _Text


class _Method(BaseModel):
    quant_method: Annotated[str, Field(min_length=1, max_length=100)]
    bits: Annotated[int, Field(gt=0, le=16)] | None = None


class _Quantised(BaseModel):
    """Weights that were quantised say how; those that were not have no such key."""

    quantization_config: _Method


def kv_values_here(weights: str) -> int | None:
    """What the KV cache holds of a token, in values: of a directory of weights, or of a hub's id in this machine's
    cache. None: they do not lie here, or their config does not tell.

    Example: 80 layers, 8 KV heads of 128 are 163,840.
    """
    for content in _configs(weights):
        for kind in (_Text, _Several):
            try:
                read = kind.model_validate_json(content)
            except ValidationError:
                continue
            return read.kv_values if isinstance(read, _Text) else read.text_config.kv_values
    return None


def quantization_here(weights: str) -> str | None:
    """How weights that lie here say that they are quantised: `awq`, `gptq-8bit`. None: not here, or they do not say."""
    for content in _configs(weights):
        try:
            method = _Quantised.model_validate_json(content).quantization_config
        except ValidationError:
            continue
        if method.bits is not None:
            return f"{method.quant_method}-{method.bits}bit"
        return None if method.quant_method == _CONTAINER else method.quant_method
    return None


def _configs(weights: str) -> Iterator[bytes]:
    for place in _places(weights):
        try:
            yield regular(place / "config.json").read_bytes()[:_LARGEST_BYTES]
        except (OSError, ValueError):
            continue


def _places(weights: str) -> Iterator[Path]:
    path = Path(weights)
    if path.is_absolute():
        yield path
    elif weights.count("/") == 1 and ".." not in weights:
        home = hub_home() / "hub" / f"models--{weights.replace('/', '--')}"
        try:
            main = regular(home / "refs" / "main").read_text().strip()
        except (OSError, ValueError):
            main = ""
        yield from sorted((home / "snapshots").glob("*"), key=lambda place: (place.name != main, place.name))


def hub_home() -> Path:
    """Where the hub's library keeps models, and the token of who has logged in."""
    return Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")


@dataclass(frozen=True, slots=True)
class Heads:
    """The attention's heads, which GPUs share out among them."""

    heads: int
    kv_heads: int


def heads_here(weights: str) -> Heads | None:
    """Of weights as `kv_values_here` finds them."""
    for content in _configs(weights):
        for kind in (_Text, _Several):
            try:
                read = kind.model_validate_json(content)
            except ValidationError:
                continue
            text = read if isinstance(read, _Text) else read.text_config
            return Heads(text.num_attention_heads, text.num_key_value_heads or text.num_attention_heads)
    return None


class _Quantization(BaseModel):
    """In the words of whoever made them."""

    quant_method: str | None = None  # awq, gptq, fp8, compressed-tensors
    format: str | None = None  # of compressed-tensors: float-quantized, pack-quantized
    quant_algo: str | None = None  # of modelopt: FP8, NVFP4


class _Stored(BaseModel):
    quantization_config: _Quantization


def stored_as(weights: str) -> str | None:
    """ "awq", "compressed-tensors float-quantized"; None: in 16 bits, not here, or nobody says."""
    for content in _configs(weights):
        try:
            said = _Stored.model_validate_json(content).quantization_config
        except ValidationError:
            continue
        return " ".join(word for word in (said.quant_method, said.format, said.quant_algo) if word) or None
    return None


def bytes_here(weights: str) -> int | None:
    """The size of their files; None: none lies here, or not all. Of several forms side by side the one that engines
    load; of several revisions the one that `main` was last."""
    for place in _places(weights):
        for pattern in ("model*.safetensors", "*.safetensors", "*.bin"):
            try:
                found = {file.name: file.stat().st_size for file in place.glob(pattern)}
            except OSError:
                continue
            if any(int(part[1]) > len(found) for name in found if (part := _PART_OF.search(name))):
                return None  # still being fetched
            size = sum(found.values())
            if size:
                return size
    return None
