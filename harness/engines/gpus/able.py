"""What a driver and a GPU can run: facts of NVIDIA's documents and of the engines' sources."""

import re

# https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html, table 1, read 2026-11-28:
# the oldest driver for programs built for a CUDA of this major version
OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}

# get_min_capability of vllm/model_executor/layers/quantization in 0.32.0: below it the engine refuses the weights.
# By the method in config.json, or named in the model's name.
VLLM_NEEDS = {
    "fp_quant": (10, 0),
    "mxfp4": (8, 0),
    "fbgemm_fp8": (8, 0),
    "experts_int8": (8, 0),
    "awq": (7, 5),
    "fp8": (7, 5),
    "gptq": (6, 0),
}

# arithmetic in so few bits: NVIDIA's Ada and Hopper (8.9, 9.0) brought FP8, Blackwell (10.0) FP4
_NATIVE_FROM = (
    ("FP4", re.compile(r"nvfp4|mxfp4|(?<![a-z])fp4"), (10, 0)),
    ("FP8", re.compile(r"fp8|float-quantized"), (8, 9)),
)


def driver_major(version: str | None) -> int | None:
    """580 of "580.65.06"; None: unknown."""
    found = re.match(r"(\d{3,4})\.", version or "")
    return int(found[1]) if found else None


def vllm_needs(quantization: str) -> tuple[str, tuple[int, int]] | None:
    """The method, and the compute capability below which vLLM refuses weights stored so; None: not known."""
    words = re.split(r"[^a-z0-9_]+", quantization.lower())
    return next(((method, needs) for method, needs in VLLM_NEEDS.items() if method in words), None)


def not_native(quantization: str, capability: tuple[int, int]) -> str | None:
    """The kind of number, where a GPU has no arithmetic in it and computes in 16 bits; None: it has, or needs none."""
    text = quantization.lower()
    for kind, pattern, since in _NATIVE_FROM:
        if pattern.search(text):
            return kind if capability < since else None
    return None
