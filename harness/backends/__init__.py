"""Wire formats, one file a backend. No I/O: bytes and dicts in, facts out."""

from harness.backends.llama_cpp import LlamaCppWire
from harness.backends.openai_compat import OpenAiWire
from harness.backends.sglang import SglangWire
from harness.backends.tgi import TgiWire
from harness.backends.vllm import VllmWire

BACKENDS: dict[str, OpenAiWire] = {
    "vllm": VllmWire(),
    "tgi": TgiWire(),
    "sglang": SglangWire(),
    "llama_cpp": LlamaCppWire(),
    "openai": OpenAiWire(),
}

_SPOKEN_BY = {
    "vllm": "vllm",
    "tgi": "tgi",
    "sglang": "sglang",
    "llama_server": "llama_cpp",
    "llama_cpp_python": "llama_cpp",
}


def dialect_of(engine: str | None) -> str:
    """The dialect of whoever answers: OpenAI's where nobody says who it is, or nobody knows more of it."""
    return _SPOKEN_BY.get(engine or "", "openai")
