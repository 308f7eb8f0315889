"""What a GGUF file says about itself. Layout: the GGUF specification, version 2 and 3.

magic "GGUF", u32 version, u64 tensors, u64 pairs, then pairs (key, u32 type, value),
then tensors (name, u32 dimensions, u64 each, u32 type, u64 offset); all little-endian.
"""

import math
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from harness.base.errors import UsageError

_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_COUNT = 1 << 24  # tensors, pairs or array items: far above any model, below what a corrupt count asks for

# llama.h, enum llama_ftype: what most of the weights are stored as
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
    36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}  # fmt: skip

# ggml.h, enum ggml_type: what a single tensor is stored as
TENSOR_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
    12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
    20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
    29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GgufModel:
    """One whole model file."""

    path: Path
    quantization: str | None  # "Q4_1"; None where the file does not say, or says a type this table does not know
    size_bytes: int
    weights: tuple[tuple[str, int], ...]  # of its matrices, by type, most first: (("Q4_1", 106168320), ("Q8_0", ...))
    heads: int | None = None  # of its attention
    kv_heads: int | None = None


def read_gguf(path: Path) -> GgufModel:
    """The header of a model file.

    Raises:
        UsageError: no such file, not GGUF, or shorter than its own header promises.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory, expected a .gguf file")
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        raise UsageError(f"cannot read the model file {path}: {error.strerror or error}") from None
    except (EOFError, ValueError, struct.error) as error:
        raise UsageError(
            f"{path} is not a whole GGUF model file: {error}",
            hint="copy it again, and compare its size with the source's",
        ) from None


def _read(file: BinaryIO, path: Path) -> GgufModel:
    if _take(file, 4) != b"GGUF":
        raise ValueError("it does not begin with the letters GGUF")
    version = _number(file, "I")
    if version not in (2, 3):
        raise ValueError(f"format version {version}, only 2 and 3 are known")
    tensors, pairs = _count(file), _count(file)
    facts = dict(_pair(file) for _ in range(pairs))
    last_offset, weights = 0, Counter[str]()
    for _ in range(tensors):
        dimensions, kind, offset = _tensor(file)
        last_offset = max(last_offset, offset)
        if len(dimensions) > 1:  # vectors, as norms, are never quantised
            weights[TENSOR_TYPES.get(kind, f"type {kind}")] += math.prod(dimensions)
    size_bytes, promised = path.stat().st_size, file.tell() + last_offset
    if size_bytes <= promised:
        raise ValueError(f"it has {size_bytes} bytes, its own table of contents needs more than {promised}")
    file_type = FILE_TYPES.get(facts.get("general.file_type", -1))
    attention = f"{facts.get('general.architecture')}.attention"
    heads, kv_heads = (_whole(facts.get(f"{attention}.{key}")) for key in ("head_count", "head_count_kv"))
    return GgufModel(path, file_type, size_bytes, tuple(weights.most_common()), heads, kv_heads or heads)


def _whole(value: Any) -> int | None:
    """A count; None for what is none, or another in each layer."""
    return value if isinstance(value, int) and value > 0 else None


def _tensor(file: BinaryIO) -> tuple[tuple[int, ...], int, int]:
    """The next tensor's dimensions and type, and where its data begins."""
    _text(file)
    count = _number(file, "I")
    if count > 8:
        raise ValueError(f"a tensor of {count} dimensions")
    dimensions = struct.unpack(f"<{count}Q", _take(file, 8 * count))
    return dimensions, _number(file, "I"), _number(file, "Q")


def _pair(file: BinaryIO) -> tuple[str, Any]:
    key = _text(file)
    return key, _value(file, _number(file, "I"))


def _value(file: BinaryIO, kind: int) -> Any:
    """A value; an array (vocabularies: long, and of no use here) is skipped and given as None."""
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _format(kind))
    item_kind, count = _number(file, "I"), _count(file)
    if item_kind in (_STRING, _ARRAY):
        for _ in range(count):
            _value(file, item_kind)
    else:
        _take(file, count * struct.calcsize(_format(item_kind)))
    return None


def _format(kind: int) -> str:
    if kind not in _FORMATS:
        raise ValueError(f"a value of unknown type {kind}")
    return _FORMATS[kind]


def _text(file: BinaryIO) -> str:
    return _take(file, _count(file)).decode(errors="replace")


def _count(file: BinaryIO) -> int:
    count: int = _number(file, "Q")
    if count > _MAX_COUNT:
        raise ValueError(f"a count of {count}")
    return count


def _number(file: BinaryIO, form: str) -> Any:
    return struct.unpack(f"<{form}", _take(file, struct.calcsize(f"<{form}")))[0]


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise EOFError(f"it ends after {file.tell()} bytes, in the middle of its header")
    return data
