"""Is the throughput possible, do weights and KV cache fit, at most: by the model's name and the GPU's datasheet."""

import re
from dataclasses import dataclass

from harness.prices.price_file import InstanceRow

BYTES_PER_GIB = 2**30
GPU_MEMORY_UTILIZATION = 0.9  # vLLM's default; what is left to weights and cache together
OVERHEAD_GIB_PER_GPU = 2.0  # activations, CUDA context, communication buffers
KEY_AND_VALUE = 2
BYTES_OF_BF16 = 2
FLOP_PER_PARAMETER = 2  # one multiply, one add for each token

# Peak dense FP16 tensor TFLOPS of one GPU, from its maker's datasheet. A10G: the A10's, which is higher.
PEAK_TFLOPS = {
    "T4": 65.0,
    "A10G": 125.0,
    "L4": 121.0,
    "L40S": 362.0,
    "A100": 312.0,
    "H100": 989.0,
    "H100 NVL": 835.0,
    "H200": 989.0,
    "GH200": 989.0,
    "B200": 2250.0,
}

_BITS = {"int8": 8, "fp8": 8, "w8a8": 8, "q8": 8, "awq": 4, "gptq": 4, "int4": 4, "w4a16": 4, "nf4": 4}
_FEWEST_BITS = 4  # an unknown quantization is not assumed to be lower


@dataclass(frozen=True, slots=True)
class Parameters:
    """How large a model is, from its name: all weights, and those that one token uses."""

    total: float
    active: float


def parameters_of(model: str) -> Parameters | None:
    """`Llama-3.3-70B` is 70e9; `Qwen3-30B-A3B` uses 3e9 of 30e9. None when the name does not say, or is a mix
    of experts that says only their size (`8x7B`)."""
    name = model.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if re.search(r"\dx\d", name):
        return None
    sizes = re.findall(r"(?<![\w.])(a?)(\d+(?:\.\d+)?)([bm])(?![a-z])", name)
    total = next((_size(number, unit) for mark, number, unit in sizes if not mark), None)
    active = next((_size(number, unit) for mark, number, unit in sizes if mark), total)
    return None if total is None or active is None else Parameters(total, active)


def _size(number: str, unit: str) -> float:
    return float(number) * (1e9 if unit == "b" else 1e6)


def bits_per_weight(model: str, quantization: str | None) -> float | None:
    """Bits of one weight, from the engine's quantization or the model's name; None when neither says."""
    text = f"{quantization or ''} {model}".lower()
    for name, bits in _BITS.items():
        if name in text:
            return bits
    found = re.search(r"(?<![a-z])i?q([2-8])(?:_|\b)", text)
    if found:
        return float(found.group(1))
    return 16.0 if re.search(r"bf16|fp16|f16|bfloat16|float16", text) else None


def weights_gib(parameters: float, bits: float) -> float:
    """Memory of the weights alone. Example: 70.6e9 at 16 bits are 131.5 GiB."""
    return parameters * bits / 8 / BYTES_PER_GIB


def ceiling_tokens_per_s(active_parameters: float, instance: InstanceRow) -> float | None:
    """Tokens/s, in and out, at every GPU's full FP16 speed: TFLOPS / (2 x parameters). None: GPU unknown.

    Example: 70.6e9 on 4 x 125 TFLOPS is 3,541. 8-bit arithmetic can double it, a prefix cache can pass it.
    """
    peak = PEAK_TFLOPS.get(instance.gpu or "")
    if peak is None or instance.gpu_count == 0:
        return None
    return peak * 1e12 * instance.gpu_count / (FLOP_PER_PARAMETER * active_parameters)


def weights_do_not_fit(model: str, quantization: str | None, instance: InstanceRow) -> str | None:
    """Why the model cannot have run on that instance; None when it can, or nobody can tell."""
    size = parameters_of(model)
    if size is None or instance.gpu_count == 0 or instance.gpu_memory_gib is None:
        return None
    bits = bits_per_weight(model, quantization)
    needed = weights_gib(size.total, bits if bits is not None else _FEWEST_BITS)
    memory = instance.gpu_count * instance.gpu_memory_gib
    if needed <= memory:
        return None
    how = f"{bits:g}-bit" if bits is not None else f"even {_FEWEST_BITS}-bit"
    return (
        f"{how} weights of {size.total / 1e9:g}B parameters take {needed:.1f} GiB,"
        f" {instance.id} has {memory:.1f} GiB of GPU memory"
    )


# pattern of the model's name (the first that fits): layers, KV heads, dimension of a head, of its own config.json
_ATTENTION = (
    (r"llama-?3(\.\d)?-405b", 126, 8, 128),
    (r"llama-?3(\.\d)?-70b", 80, 8, 128),
    (r"llama-?3(\.\d)?-8b", 32, 8, 128),
    (r"llama-?3\.2-3b", 28, 8, 128),
    (r"llama-?3\.2-1b", 16, 8, 64),
    (r"llama-?2-70b", 80, 8, 128),
    (r"llama-?2-13b", 40, 40, 128),
    (r"llama-?2-7b", 32, 32, 128),
    (r"mistral-7b", 32, 8, 128),
    (r"qwen2\.5-72b", 80, 8, 128),
    (r"qwen2\.5-32b", 64, 8, 128),
    (r"qwen2\.5-14b", 48, 8, 128),
    (r"qwen2\.5-7b", 28, 4, 128),
)


def kv_bytes_per_token(model: str) -> int | None:
    """2 (key, value) x layers x heads x dimension x 2 bytes, by the model's name; None for one that is not listed here.

    Example: 80 x 8 x 128 is 327,680.
    """
    name = model.replace("\\", "/").rsplit("/", 1)[-1].lower().replace("_", "-").replace("meta-", "")
    for pattern, layers, kv_heads, head_dim in _ATTENTION:
        if re.search(pattern, name):
            return KEY_AND_VALUE * layers * kv_heads * head_dim * BYTES_OF_BF16
    return None


def kv_room_tokens(model: str, quantization: str | None, instance: InstanceRow, replicas: int = 1) -> float | None:
    """Tokens that the KV caches of all replicas on the box can hold at most; 0 or less when the weights do not fit.

    (0.9 x memory - 2 GiB a GPU - weights) / bytes a token, 16-bit cache. None: model, its weights' bits or the
    GPU's memory unknown. Example: 70B at 4.5 bits on 4 x 22.35 GiB is about 116,000.
    """
    size, token_bytes = parameters_of(model), kv_bytes_per_token(model)
    bits = bits_per_weight(model, quantization)
    memory_gib = instance.gpu_memory_gib
    if size is None or token_bytes is None or bits is None or memory_gib is None or instance.gpu_count == 0:
        return None
    usable_gib = instance.gpu_count * (GPU_MEMORY_UTILIZATION * memory_gib - OVERHEAD_GIB_PER_GPU)
    left_gib = usable_gib - replicas * weights_gib(size.total, bits)
    return left_gib * BYTES_PER_GIB / token_bytes
