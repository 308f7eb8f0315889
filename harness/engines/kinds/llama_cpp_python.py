"""llama-cpp-python's server: one request at a time, embedded in our own environment."""

import re
from importlib import metadata, util
from pathlib import Path

from harness.backends.said import OpenApi
from harness.base.children import PYTHON
from harness.base.errors import EngineError
from harness.engines.kind import EngineKind, GpuUse, Identity, Launch, Progress, Settings
from harness.engines.process.ask import ask_said, first_model
from harness.engines.weights.models import find_gguf, llama_launch, whole_context

NAME = "llama_cpp_python"
INSTALL_HINT = "pip install 'breakeven[llama-cpp]' (compiles llama.cpp: needs a C++ compiler and some minutes)"
OLDEST_VERSION = (0, 3, 36)  # of the extra in pyproject.toml: older ones lack flags and keys used here
_NEEDED = ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings")


def launch(model: str | Path | None, settings: Settings, port: int, _progress: Progress) -> Launch:
    """The server's command line, with the defaults that would spoil a measurement turned off.

    interrupt_requests: by default a new request kills the stream in flight. logits_all: by default logits are
    kept for every prompt token. There is one context for one request, so `settings.slots` changes nothing.
    """
    gguf = find_gguf(model)
    install(_progress)
    flags = [
        "--model", str(gguf.path), "--model_alias", gguf.path.stem,
        "--host", "127.0.0.1", "--port", str(port),
        "--n_ctx", str(whole_context(settings.context_tokens)),
        "--n_threads", str(settings.decode_threads), "--n_threads_batch", str(settings.threads),
        "--n_gpu_layers", "-1", "--verbose", "false",
        "--interrupt_requests", "false", "--logits_all", "false",
        *_split(settings),
        *settings.extra_flags,
    ]  # fmt: skip
    return llama_launch([*PYTHON, "-m", "llama_cpp.server"], flags, gguf, settings)


def _split(settings: Settings) -> list[str]:
    """Whole layers over the GPUs that it is shown; numbers as in llama.h, enum llama_split_mode."""
    if not settings.gpus:
        return []
    return ["--split_mode", "1"] if len(settings.gpus) > 1 else ["--split_mode", "0", "--main_gpu", "0"]


def identify(base_url: str) -> Identity:
    """Version from the OpenAPI page. `/v1/models` takes the engine's lock: ask only while it is idle."""
    info = ask_said(OpenApi, f"{base_url}/openapi.json").info
    return Identity(version=info.version if info is not None else None, model=first_model(base_url), slots=1)


def installed_version() -> str | None:
    """Of the package; None when it is not installed."""
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return None


def install(_progress: Progress) -> None:
    """Nothing to do: it is an extra of this package and lives in its environment.

    Raises:
        EngineError: the extra is not installed, or too old.
    """
    missing = [name for name in _NEEDED if util.find_spec(name) is None]
    if missing:
        raise EngineError(f"llama-cpp-python's server is not installed: no module {missing[0]}", hint=INSTALL_HINT)
    version = installed_version() or ""
    known = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if known and tuple(map(int, known.groups())) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise EngineError(f"llama-cpp-python {version} is too old, {oldest} is needed", hint=INSTALL_HINT)


ENGINE = EngineKind(
    name=NAME,
    title="llama-cpp-python",
    backend="llama_cpp",
    ready_path="/openapi.json",  # everything else takes the lock, or does not exist
    ready_timeout_s=300,
    launch=launch,
    identify=identify,
    install=install,
    installed_version=installed_version,
    gpu_use=GpuUse(flags=frozenset({"--main-gpu", "--tensor-split"}), elsewhere=frozenset({"--n-gpu-layers"})),
)
