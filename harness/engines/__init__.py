"""Engines that Breakeven can install, start, ask and stop on this machine: a table, one module each."""

from harness.base.errors import UsageError
from harness.engines.kind import EngineKind
from harness.engines.kinds import llama_cpp_python, llama_server, tgi, vllm

ENGINES: dict[str, EngineKind] = {module.NAME: module.ENGINE for module in (llama_cpp_python, llama_server, vllm, tgi)}


def engine_kind(name: str) -> EngineKind:
    """The engine of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine `{name}`", hint=f"engines: {', '.join(ENGINES)}")
    return ENGINES[name]
