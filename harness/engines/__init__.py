"""Engines that Breakeven can start on this machine: a table, one module each."""

from harness.engines import llama_cpp_python
from harness.engines.kind import EngineKind

ENGINES: dict[str, EngineKind] = {
    llama_cpp_python.NAME: llama_cpp_python.ENGINE,
}
