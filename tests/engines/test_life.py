"""From start to stop, on a small Python program that stands for an engine."""

import dataclasses
import sys
from pathlib import Path

import pytest

from harness.base.errors import EngineError
from harness.engines import ENGINES
from harness.engines.kind import EngineKind, Identity, Launch, Settings
from harness.engines.life.running import running_engine
from harness.engines.process import process

SERVE = """if True:
    import http.server, sys
    http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def stand_in(code: str, cleanup: list[str] | None = None) -> EngineKind:
    """An engine of the table whose process is `code`, with the port as its argument."""

    def launch(_model: object, _settings: Settings, port: int, _progress: object) -> Launch:
        command = [sys.executable, "-c", code, str(port)]
        return Launch(command, [], "its model", None, cleanup=cleanup)

    return dataclasses.replace(
        ENGINES["llama_server"], launch=launch, ready_path="/", identify=lambda _: Identity(None, None)
    )


@pytest.mark.parametrize("cleanup", [["no-such-command"], [sys.executable, "-c", "input()"]])
def test_a_clean_up_that_fails_does_not_hide_why_the_run_ended(
    tmp_path: Path, cleanup: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_CLEAN_UP_LIMIT_S", 0.1)
    monkeypatch.setitem(ENGINES, "llama_server", stand_in(SERVE, cleanup))

    with pytest.raises(ZeroDivisionError), running_engine("llama_server", log_path=tmp_path / "log", progress=print):
        _ = 1 / 0


STARVED = "not enough memory: take a smaller model"
PERHAPS_STARVED = "not enough memory? Take a smaller model"
OTHER = "its whole log: "


@pytest.mark.parametrize(
    ("said", "end", "hint"),
    [  # what engines were seen to say, and how they ended
        ("terminate called after throwing an instance of 'std::bad_alloc'", "SIGABRT", STARVED),
        ("llama_model_load: error loading model: mmap failed: Cannot allocate memory", 1, STARVED),
        ("llama_model_load: error loading model: unable to allocate CPU buffer", 1, STARVED),
        ("what(): Resource temporarily unavailable", "SIGABRT", STARVED),  # no room for a thread's stack
        ("torch.OutOfMemoryError: CUDA out of memory.", 1, STARVED),
        ("MemoryError", 1, STARVED),
        ("ggml.c:1648: GGML_ASSERT(ctx->mem_buffer != NULL) failed", "SIGABRT", PERHAPS_STARVED),
        ("", "SIGKILL", PERHAPS_STARVED),  # the kernel's killer leaves no words
        ("Killed", 137, PERHAPS_STARVED),  # as a shell or docker passes a SIGKILL on
        ("error: invalid argument: --parallell", 1, OTHER),
        ("unknown model architecture: 'x'", 1, OTHER),
        ("", "SIGSEGV", OTHER),
    ],
)
def test_an_engine_that_found_no_memory_while_it_loaded_is_told_by_its_kind_of_end(
    tmp_path: Path, said: str, end: str | int, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = f"os.kill(os.getpid(), signal.{end})" if isinstance(end, str) else f"sys.exit({end})"
    code = f"import os, signal, sys; print({said!r}, flush=True); {last}"
    monkeypatch.setitem(ENGINES, "llama_server", stand_in(code))

    with (
        pytest.raises(EngineError, match=r"llama-server did not come up: it .* while loading its model") as caught,
        running_engine("llama_server", log_path=tmp_path / "log", progress=print),
    ):
        pass

    assert (caught.value.hint or "").startswith(hint)
