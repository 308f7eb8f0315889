"""Is the throughput possible, do weights and KV cache fit, at most: by the model's weights and the GPU's datasheet."""

from dataclasses import dataclass

from harness.cost.box.engine_memory import BITS_OF_KV, GPU_MEMORY_UTILIZATION
from harness.cost.box.gpus import gpu_of
from harness.cost.box.weights import Weights
from harness.prices.price_file import InstanceRow

BYTES_PER_GIB = 2**30
OVERHEAD_GIB_PER_GPU = 2.0  # activations, CUDA context, communication buffers
FLOP_PER_PARAMETER = 2  # one multiply, one add for each token


def weights_gib(parameters: float, bits: float) -> float:
    """Memory of the weights alone. Example: 70.6e9 at 16 bits are 131.5 GiB."""
    return parameters * bits / 8 / BYTES_PER_GIB


def ceiling_tokens_per_s(
    active_parameters: float, instance: InstanceRow, bits: float = 16, *, is_fp4: bool = False
) -> float | None:
    """Tokens/s, in and out, at every GPU's full speed: TFLOPS / (2 x parameters). None: GPU unknown.

    Example: 70.6e9 on 4 x 70 TFLOPS is 1,983. A prefix cache can pass it.
    """
    gpu = gpu_of(instance)
    peak = gpu.tflops_at(bits, is_fp4=is_fp4) if gpu is not None else None
    return None if peak is None else peak * 1e12 * instance.gpu_count / (FLOP_PER_PARAMETER * active_parameters)


def bandwidth_ceiling_tokens_per_s(
    active_parameters: float, instance: InstanceRow, bits: float, in_flight: float
) -> float | None:
    """Output tokens/s when each decode step reads the weights once for all requests: batch x bandwidth / bytes.

    Example: 32 requests of 70.6e9 in 4 bits on 4 x 600 GB/s are 2,176. Speculative decoding can pass it.
    """
    gpu = gpu_of(instance)
    if gpu is None:
        return None
    return in_flight * gpu.gb_per_s * 1e9 * instance.gpu_count / (active_parameters * bits / 8)


@dataclass(frozen=True, slots=True)
class Ceilings:
    """The most that one instance can give: by arithmetic (tokens in and out), by memory (output tokens)."""

    compute_tokens_per_s: float | None
    bandwidth_tokens_per_s: float | None  # None: how many requests were in flight is not known either
    in_flight: float | None
    bits: float


def ceilings(weights: Weights, instance: InstanceRow, in_flight: float | None) -> Ceilings | None:
    """Both ceilings of these weights there; None: the model's size or the GPU is unknown."""
    if weights.size is None or gpu_of(instance) is None:
        return None
    active, bits = weights.size.active, weights.bits
    return Ceilings(
        ceiling_tokens_per_s(active, instance, bits if bits is not None else 16, is_fp4=weights.is_fp4),
        None if in_flight is None else bandwidth_ceiling_tokens_per_s(active, instance, weights.least_bits, in_flight),
        in_flight,
        weights.least_bits,
    )


def weights_do_not_fit(weights: Weights, instance: InstanceRow) -> str | None:
    """Why the model cannot have run on that instance; None when it can, or nobody can tell."""
    if weights.size is None or instance.gpu_count == 0 or instance.gpu_memory_gib is None:
        return None
    needed = weights_gib(weights.size.total, weights.least_bits)
    memory = instance.gpu_count * instance.gpu_memory_gib
    if needed <= memory:
        return None
    how = f"{'' if weights.bits is not None else 'even '}{weights.least_bits:g}-bit"
    return (
        f"{how} weights of {weights.size.total / 1e9:g}B parameters take {needed:.1f} GiB,"
        f" {instance.id} has {memory:.1f} GiB of GPU memory"
    )


def kv_room_tokens(
    weights: Weights,
    instance: InstanceRow,
    replicas: int = 1,
    *,
    utilization: float = GPU_MEMORY_UTILIZATION,
    kv_bits: float = BITS_OF_KV,
) -> float | None:
    """Tokens that the KV caches of all replicas on the box can hold; 0 or less when the weights do not fit.

    (0.92 x memory - 2 GiB a GPU - weights) / bytes a token. None: model, its weights' bits or the GPU's memory
    unknown. Example: 70B at 4.5 bits on 4 x 22.35 GiB, cache in 16 bits, is about 123,000.
    """
    size, bits, memory_gib = weights.size, weights.bits, instance.gpu_memory_gib
    if size is None or weights.kv_values is None or bits is None or memory_gib is None or instance.gpu_count == 0:
        return None
    usable_gib = instance.gpu_count * (utilization * memory_gib - OVERHEAD_GIB_PER_GPU)
    left_gib = usable_gib - replicas * weights_gib(size.total, bits)
    return left_gib * BYTES_PER_GIB / (weights.kv_values * kv_bits / 8)
