"""Engines that Breakeven can install, start, ask and stop on this machine: a table, one module each."""

from harness.base.errors import UsageError
from harness.engines.kind import EngineKind
from harness.engines.kinds import llama_cpp_python, llama_server, tgi, vllm

ENGINES: dict[str, EngineKind] = {
    llama_cpp_python.NAME: llama_cpp_python.ENGINE,
    llama_server.NAME: llama_server.ENGINE,
    vllm.NAME: vllm.ENGINE,
    tgi.NAME: tgi.ENGINE,
}


def engine_kind(name: str) -> EngineKind:
    """The engine of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine `{name}`", hint=f"engines: {', '.join(ENGINES)}")
    return ENGINES[name]
