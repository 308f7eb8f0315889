"""Weights in another quantisation, by llama.cpp's own quantiser."""

import re
import tempfile
from pathlib import Path

from harness.base.errors import UsageError
from harness.engines.kind import Progress, Settings
from harness.engines.kinds.install import run_step
from harness.engines.kinds.llama_server import install_quantizer
from harness.engines.weights.cache import cache_dir
from harness.engines.weights.gguf import GgufModel, read_gguf
from harness.engines.weights.models import find_gguf, in_words

# what the quantiser makes without an importance matrix
WISHES = (
    "Q8_0", "Q6_K", "Q5_0", "Q5_1", "Q5_K_S", "Q5_K_M", "Q4_0", "Q4_1", "Q4_K_S", "Q4_K_M", "IQ4_NL", "IQ4_XS",
    "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q2_K", "F16", "BF16", "F32",
)  # fmt: skip
_WHOLE_TYPES = {"F32", "F16", "BF16", "F64"}
_TYPE_AT_THE_END = re.compile(r"[.-](I?Q\d|TQ\d|B?F\d\d|MXFP\d|NVFP\d)[0-9A-Z_]*$", re.IGNORECASE)
_MIXTURE = re.compile("_[SML]$")  # Q4_K_M: most of it Q4_K


def quantize(source: str | Path | None, wish: str, directory: Path, progress: Progress) -> tuple[GgufModel, str]:
    """Make `wish` of a model file (None: the small one of a package) in `directory`; the file, and what it is in words.

    It is named after the types that its weights have in the end: where a matrix does not fit the wish, the quantiser
    takes another type, and says so only in its log.

    Raises:
        UsageError: `source` is no whole model, `directory` is none, or the new file would take the source's place.
        EngineError: the quantiser could not be built, or it failed.
    """
    model = find_gguf(source)
    with _beside(directory) as place:
        program = install_quantizer(progress)
        made = Path(place) / "made.gguf"
        command = [str(program), "--allow-requantize", str(model.path), str(made), wish, str(Settings().threads)]
        run_step(f"making {wish} of {in_words(model)}", command, cache_dir("llama_server") / "quantize.log", progress)
        held = read_gguf(made).weights
        target = directory / name_of(model, held)
        if target.exists() and target.samefile(model.path):
            raise UsageError(f"{target} is the source itself: it is {wish} already")
        made.replace(target)
    return read_gguf(target), _in_words(model, wish, held)


def name_of(source: GgufModel, held: tuple[tuple[str, int], ...]) -> str:
    """What a file made of `source` is called: by the types of its weights, most first, and by what it was made from
    where that was quantised before.

    Example: tiny.Q4_1.gguf as Q8_0 is tiny.Q8_0.from_Q4_1.gguf.
    """
    base = _TYPE_AT_THE_END.sub("", source.path.stem)
    lossy = lossy_type(source)
    return f"{base}.{'.'.join(kind for kind, _ in held)}{f'.from_{lossy}' if lossy else ''}.gguf"


def lossy_type(model: GgufModel) -> str | None:
    """What most of a model's weights had been quantised to; None: they are whole."""
    kind = model.weights[0][0] if model.weights else None
    return None if kind in _WHOLE_TYPES else kind


def _in_words(source: GgufModel, wish: str, held: tuple[tuple[str, int], ...]) -> str:
    total = sum(count for _, count in held)
    words = ", ".join(f"{kind} {count / total:.0%}" for kind, count in held) + " of the weights"
    asked = _MIXTURE.sub("", wish)
    if asked not in dict(held):
        words += f"; no row fits {asked}, which was asked for"
    lossy = lossy_type(source)
    return words if lossy is None else f"{words}; requantised from {lossy}: what that had lost stays lost"


def _beside(directory: Path) -> tempfile.TemporaryDirectory[str]:
    """A place on the same file system, for what is not whole yet."""
    if directory.suffix == ".gguf":
        raise UsageError(
            f"{directory} is a file's name, expected a directory", hint="the file is named after what it holds"
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".quantize-", dir=directory)
    except OSError as error:
        raise UsageError(f"cannot write into {directory}: {error.strerror or error}") from None
