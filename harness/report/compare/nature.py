"""What engines are built or set for and can't be made alike: printed beside a comparison, it forbids no winner."""

from collections.abc import Mapping, Sequence

from harness.base.rounding import whole
from harness.cost.box.engine_memory import flags_said
from harness.report.text import clean
from harness.rundir.identity import Identity, SaidCount
from harness.rundir.manifest import RunManifest

NOT_TOLD = "not told"

_TENSOR = ("tensor-parallel-size", "tp-size", "tp", "num-shard")
_PIPELINE = ("pipeline-parallel-size", "pp-size", "pp")
_SPLIT = ("split-mode", "sm")
_PREFILL = ("max-num-batched-tokens", "max-batch-prefill-tokens", "chunked-prefill-size", "batch-size", "n-batch")
_SPLITS = {"layer": "a pipeline of layers", "row": "rows of each matrix over all GPUs"}
_BY_LAYERS = ("llama_server", "llama_cpp_python")  # their default, where nothing says otherwise


def natures(runs: Sequence[RunManifest]) -> list[dict[str, str]]:
    """Of each run by name what its engine says of itself, or its flags do.

    How they lie on several GPUs is nothing to print where none says that it does.
    """
    told = [_told(run) for run in runs]
    if any(map(_shares, runs)):
        return [one | {"spread over GPUs": _spread(run)} for run, one in zip(runs, told, strict=True)]
    return told


def _told(run: RunManifest) -> dict[str, str]:
    said, flags = run.identity or Identity(), flags_said(run)
    return {
        "context length": _engine_or(run, "context_tokens", said.context),
        "slots": _engine_or(run, "slots", said.slots),
        "longest prompt taken": _count(said.max_input_tokens, flags, "max-input-tokens"),
        "requests taken at once": _count(said.max_concurrent_requests, flags, "max-concurrent-requests"),
        "prefill budget": _first(flags, _PREFILL) or NOT_TOLD,
    }


def _engine_or(run: RunManifest, key: str, fact: SaidCount | None) -> str:
    told = run.engine.get(key)
    return clean(told) if told is not None else whole(fact.value) if fact is not None else NOT_TOLD


def _count(fact: SaidCount | None, flags: Mapping[str, str], name: str) -> str:
    return str(fact.value) if fact is not None else flags.get(name) or NOT_TOLD


def _first(flags: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((clean(flags[name]) for name in names if flags.get(name)), None)


def _spread(run: RunManifest) -> str:
    """How one copy of the weights lies on several GPUs."""
    flags, said = flags_said(run), _shares(run)
    if said:
        return ", ".join(said)
    if _first(flags, _SPLIT) == "none" or _first(flags, _TENSOR) == "1":
        return "one GPU"
    return "a pipeline of layers (its default)" if run.engine.get("name") in _BY_LAYERS else NOT_TOLD


def _shares(run: RunManifest) -> list[str]:
    """In which ways a run says that it shares the weights out."""
    said, flags = run.identity or Identity(), flags_said(run)
    tensor = str(said.parallel.value) if said.parallel is not None else _first(flags, _TENSOR)
    stages = _first(flags, _PIPELINE)
    shares = [] if tensor in (None, "1") else [f"tensor parallel over {tensor}"]
    shares += [] if stages in (None, "1") else [f"a pipeline of {stages} stages"]
    return shares + [words for split, words in _SPLITS.items() if _first(flags, _SPLIT) == split]
