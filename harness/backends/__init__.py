"""Wire formats, one file a backend. No I/O: bytes and dicts in, facts out."""

from harness.backends.llama_cpp import LlamaCppWire
from harness.backends.openai_compat import OpenAiWire
from harness.backends.tgi import TgiWire
from harness.backends.vllm import VllmWire

BACKENDS: dict[str, OpenAiWire] = {
    "vllm": VllmWire(),
    "tgi": TgiWire(),
    "llama_cpp": LlamaCppWire(),
    "openai": OpenAiWire(),
}
