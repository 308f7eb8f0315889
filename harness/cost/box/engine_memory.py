"""How an engine shares out GPU memory, by the flags that it was started with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.base.engine_options import options_in
from harness.rundir.manifest import RunManifest

GPU_MEMORY_UTILIZATION = 0.92  # vLLM 0.32's default; what is left to weights and cache together
BITS_OF_KV = 16

_SHARE = ("gpu-memory-utilization", "mem-fraction-static", "cuda-memory-fraction")  # of vLLM, SGLang, TGI
_CACHE = ("kv-cache-dtype", "cache-type-k")  # of vLLM and SGLang, llama.cpp
_CACHE_BITS = ((r"fp4|q4", 4.0), (r"fp8|int8|q8|e4m3|e5m2", 8.0), (r"f32|float32", 32.0))


@dataclass(frozen=True, slots=True)
class EngineMemory:
    """The share of a GPU's memory that it takes, and the bits of one number in its KV cache."""

    share: float
    kv_bits: float
    is_said: bool  # whether its flags are known: without them either may be another


def memory_of(run: RunManifest) -> EngineMemory:
    """As the engine's flags say; vLLM's defaults where they are silent."""
    return memory_by_flags(run.engine.get("name"), run.engine.get("flags"))


def memory_by_flags(engine: str | None, flags: Any, *, is_capped: bool = True) -> EngineMemory:
    """The same of flags alone; an engine that is not capped takes all where no flag says how much."""
    said = flags_by_name(engine, flags)
    share = next((_share(said[name]) for name in _SHARE if name in said), None)
    cache = next((said[name].lower() for name in _CACHE if name in said), "")
    bits = next((bits for pattern, bits in _CACHE_BITS if re.search(pattern, cache)), float(BITS_OF_KV))
    return EngineMemory(share or (GPU_MEMORY_UTILIZATION if is_capped else 1.0), bits, bool(said))


def flags_by_name(engine: str | None, flags: Any) -> dict[str, str]:
    """Each flag's value by its first name, words joined by `-`, out of an object or the words of a command line."""
    if isinstance(flags, Mapping):
        return {str(name).lstrip("-").replace("_", "-"): str(value) for name, value in flags.items()}
    if not isinstance(flags, Sequence) or isinstance(flags, str):
        return {}
    return {name: values[0] if values else "" for name, values in options_in(engine, list(map(str, flags))).items()}


def flags_said(run: RunManifest) -> dict[str, str]:
    """The engine's flags by name, words joined by `-`, whoever tells them."""
    return flags_by_name(run.engine.get("name"), run.engine.get("flags"))


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 < share <= 1 else None
