"""llama-cpp-python's server: one request at a time, embedded in our own environment."""

from __future__ import annotations

import math
import sys
from importlib import metadata, util

from harness.engines.ask import ask_json, first_model
from harness.engines.gguf import GgufModel
from harness.engines.kind import EngineKind, Identity, Launch, Progress, Settings, recorded_flags
from harness.errors import EngineError

NAME = "llama_cpp_python"
INSTALL_HINT = (
    "pip install 'breakeven[llama-cpp]' (compiles llama.cpp: needs a C++ compiler and some minutes)"
)
# llama.cpp rounds its context up to this; llama-cpp-python's buffer keeps the number asked for, and then a
# prompt between the two breaks it (500 "could not broadcast") instead of being refused (400)
_CONTEXT_STEP = 256
_NEEDED = ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings")


def launch(model: GgufModel, settings: Settings, port: int) -> Launch:
    """The server's command line, with the defaults that would spoil a measurement turned off.

    interrupt_requests: by default a new request kills the stream in flight. logits_all: by default logits are
    kept for every prompt token. There is one context for one request, so `settings.slots` changes nothing.
    """
    missing = [name for name in _NEEDED if util.find_spec(name) is None]
    if missing:
        raise EngineError(f"llama-cpp-python's server is not installed (no {missing[0]})", hint=INSTALL_HINT)
    context_tokens = math.ceil(settings.context_tokens / _CONTEXT_STEP) * _CONTEXT_STEP
    flags = [
        "--model", str(model.path), "--model_alias", model.path.stem,
        "--host", "127.0.0.1", "--port", str(port),
        "--n_ctx", str(context_tokens),
        "--n_threads", str(settings.threads), "--n_threads_batch", str(settings.threads),
        "--n_gpu_layers", "-1", "--interrupt_requests", "false", "--logits_all", "false", "--verbose", "false",
        *settings.extra_flags,
    ]  # fmt: skip
    return Launch([sys.executable, "-m", "llama_cpp.server", *flags], recorded_flags(flags, model.path))


def identify(base_url: str) -> Identity:
    """Version from the OpenAPI page. `/v1/models` takes the engine's lock: ask only while it is idle."""
    info = ask_json(f"{base_url}/openapi.json").get("info", {})
    return Identity(version=info.get("version"), model=first_model(base_url), slots=1)


def installed_version() -> str | None:
    """Of the package; None when it is not installed."""
    try:
        return metadata.version("llama-cpp-python")
    except metadata.PackageNotFoundError:
        return None


def install(_progress: Progress) -> None:
    """Nothing to do: it is an extra of this package and lives in its environment.

    Raises:
        EngineError: the extra is not installed.
    """
    if installed_version() is None:
        raise EngineError("llama-cpp-python is not installed", hint=INSTALL_HINT)


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
)
