"""Wait until an engine serves, or say why it never will."""

import re
import signal
import subprocess
import time
from pathlib import Path

from harness.base.errors import EngineError
from harness.engines.kind import EngineKind, Progress
from harness.engines.process.ask import ask
from harness.engines.process.process import LeashedProcess, log_tail

_POLL_S = 0.1
_SAY_EVERY_S = 1.0
_SHELLS_SIGNAL = 128  # a shell, or docker, ends with this and the signal of what it ran
# llama.cpp, C++, the C library, Python, CUDA and vLLM, in their own words; "temporarily unavailable": a thread's stack
_NO_MEMORY = re.compile(
    r"failed to (create llama_context|allocate|mmap)|unable to allocate|bad_alloc|MemoryError|out ?of ?memory"
    r"|cannot allocate memory|mmap failed|resource temporarily unavailable|No available memory for the cache",
    re.IGNORECASE,
)
# how a process ends that the kernel took the memory from, or that gave up by itself (ggml's and C++'s abort)
_STARVED = (signal.SIGKILL, signal.SIGABRT)


def wait_until_ready(
    kind: EngineKind,
    base_url: str,
    process: LeashedProcess | subprocess.Popen[bytes],
    log_path: Path,
    loads: str,
    progress: Progress,
) -> None:
    """Ask `kind.ready_path` until it answers 200. `loads` is the model in words.

    Raises:
        EngineError: the engine ended, or took longer than `kind.ready_timeout_s`; `detail` has its log's end.
    """
    started = said = time.monotonic()
    while process.poll() is None:
        if ask(base_url + kind.ready_path, timeout_s=1.0) is not None and process.poll() is None:
            return
        now = time.monotonic()
        if now - started > kind.ready_timeout_s:
            took = f"did not answer within {kind.ready_timeout_s:.0f} s"
            raise _did_not_come_up(kind, took, loads, process.poll(), log_path)
        if now - said >= _SAY_EVERY_S:
            said = now
            progress(f"{kind.title} loads {loads}, {now - started:.0f} s")
        time.sleep(_POLL_S)
    raise _did_not_come_up(kind, how_it_ended(process.poll()), loads, process.poll(), log_path)


def how_it_ended(exit_code: int | None) -> str:
    """An exit code in words: "ended with exit code 1", "was killed by SIGKILL (out of memory?)"."""
    if exit_code is None or exit_code >= 0:
        return f"ended with exit code {exit_code if exit_code is not None else 'n/a'}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"was killed by {name}" + (" (out of memory?)" if exit_code == -signal.SIGKILL else "")


def _did_not_come_up(kind: EngineKind, how: str, loads: str, code: int | None, log_path: Path) -> EngineError:
    tail, hint = log_tail(log_path), f"its whole log: {log_path}"
    if _NO_MEMORY.search(tail):
        hint = f"not enough memory: take a smaller model, context or number of users; {hint}"
    elif code is not None and any(code in (-number, _SHELLS_SIGNAL + number) for number in _STARVED):
        hint = f"not enough memory? Take a smaller model, context or number of users; {hint}"
    return EngineError(f"{kind.title} did not come up: it {how} while loading {loads}", detail=tail, hint=hint)
