"""A GGUF file of two tensors, made byte by byte."""

import struct

U32, STRING, ARRAY = 4, 8, 9


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, dimensions: list[int], offset: int) -> bytes:
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text(name) + shape + struct.pack("<IQ", 0, offset)


def model_bytes(*more: bytes) -> bytes:
    """`more`: further pairs."""
    pairs = [
        pair("general.architecture", STRING, text("llama")),
        pair("general.name", STRING, text("Tiny")),
        pair("general.file_type", U32, struct.pack("<I", 15)),
        pair("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text("a") + text("bc")),
        pair("tokenizer.ggml.token_type", ARRAY, struct.pack("<IQ3I", U32, 3, 1, 1, 1)),
        pair("llama.context_length", U32, struct.pack("<I", 4096)),
        pair("tokenizer.chat_template", STRING, text("{{ messages }}")),
        *more,
    ]
    tensors = [tensor("a.weight", [3, 4], 0), tensor("b.weight", [5], 64)]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    return head + b"".join(pairs) + b"".join(tensors) + bytes(64 + 20)
