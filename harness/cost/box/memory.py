"""Does a load fit: weights and KV cache against the GPU memory of the box. Upper bounds, by the model's name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.cost.box.plausible import BYTES_PER_GIB, bits_per_weight, parameters_of, weights_gib
from harness.prices.price_file import InstanceRow

GPU_MEMORY_UTILIZATION = 0.9  # vLLM's default; what is left to weights and cache together
OVERHEAD_GIB_PER_GPU = 2.0  # activations, CUDA context, communication buffers
KEY_AND_VALUE = 2
BYTES_OF_BF16 = 2


@dataclass(frozen=True, slots=True)
class Attention:
    """What the KV cache's size comes from; of the model's own config.json."""

    layers: int
    kv_heads: int
    head_dim: int

    @property
    def bytes_per_token(self) -> int:
        """2 (key, value) x layers x heads x dimension x 2 bytes. Example: 80 x 8 x 128 is 327,680."""
        return KEY_AND_VALUE * self.layers * self.kv_heads * self.head_dim * BYTES_OF_BF16


_ATTENTION: tuple[tuple[str, Attention], ...] = (  # pattern of the model's name; the first that fits
    (r"llama-?3(\.\d)?-405b", Attention(126, 8, 128)),
    (r"llama-?3(\.\d)?-70b", Attention(80, 8, 128)),
    (r"llama-?3(\.\d)?-8b", Attention(32, 8, 128)),
    (r"llama-?3\.2-3b", Attention(28, 8, 128)),
    (r"llama-?3\.2-1b", Attention(16, 8, 64)),
    (r"llama-?2-70b", Attention(80, 8, 128)),
    (r"llama-?2-13b", Attention(40, 40, 128)),
    (r"llama-?2-7b", Attention(32, 32, 128)),
    (r"mistral-7b", Attention(32, 8, 128)),
    (r"qwen2\.5-72b", Attention(80, 8, 128)),
    (r"qwen2\.5-32b", Attention(64, 8, 128)),
    (r"qwen2\.5-14b", Attention(48, 8, 128)),
    (r"qwen2\.5-7b", Attention(28, 4, 128)),
)


def attention_of(model: str) -> Attention | None:
    """By the model's name; None for one that is not listed here."""
    name = model.replace("\\", "/").rsplit("/", 1)[-1].lower().replace("_", "-").replace("meta-", "")
    return next((found for pattern, found in _ATTENTION if re.search(pattern, name)), None)


def kv_room_tokens(model: str, quantization: str | None, instance: InstanceRow, replicas: int = 1) -> float | None:
    """Tokens that the KV caches of all replicas on the box can hold at most; 0 or less when the weights do not fit.

    (0.9 x memory - 2 GiB a GPU - weights) / bytes a token, 16-bit cache. None: model, its weights' bits or the
    GPU's memory unknown. Example: 70B at 4.5 bits on 4 x 22.35 GiB is about 116,000.
    """
    size, attention = parameters_of(model), attention_of(model)
    bits = bits_per_weight(model, quantization)
    memory_gib = instance.gpu_memory_gib
    if size is None or attention is None or bits is None or memory_gib is None or instance.gpu_count == 0:
        return None
    usable_gib = instance.gpu_count * (GPU_MEMORY_UTILIZATION * memory_gib - OVERHEAD_GIB_PER_GPU)
    left_gib = usable_gib - replicas * weights_gib(size.total, bits)
    return left_gib * BYTES_PER_GIB / attention.bytes_per_token
