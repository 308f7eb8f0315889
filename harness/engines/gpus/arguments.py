"""How many GPUs an engine uses by what it was started with. Read in vLLM 0.32.0, TGI 3.3, llama.cpp b11434."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.base.engine_options import is_assigned, options_in
from harness.engines.gpus.nvml import VISIBLE

_NUMBER = re.compile(r"-?\d+(\.\d+)?")

# the names of each degree of parallelism, whose product is the number of GPUs
_DEGREES = {
    "vllm": (
        ("tensor-parallel-size", "tp"),
        ("pipeline-parallel-size", "pp"),
        ("data-parallel-size", "dp"),
        ("prefill-context-parallel-size", "pcp"),
    ),
    "sglang": (
        ("tensor-parallel-size", "tp-size", "tp"),
        ("pipeline-parallel-size", "pp-size", "pp"),
        ("data-parallel-size", "dp-size", "dp"),
    ),
}
_COPIES = frozenset({"dp"})  # of the weights; the other degrees spread one
_LAYERS = ("n-gpu-layers", "gpu-layers", "ngl")  # llama.cpp's
_OFF = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class GpusAsked:
    """GPUs by an engine's arguments: of one copy of its weights, and in all; None: as many as it finds."""

    parallel: int | None
    gpus: int | None


def gpus_asked(engine: str, flags: Sequence[str], shown: int | None) -> GpusAsked:
    """What `engine` uses by its `flags`; `shown`: GPUs that it can see, None: nobody knows.

    The last of several equal flags counts, as for the engines themselves.
    """
    said = options_in(engine, flags)
    if engine in _DEGREES:
        asked = _product(said, engine)
    elif engine == "tgi":
        asked = _tgi(said, shown)
    else:
        asked = _llama_cpp(said, shown)
    if shown is None:
        return asked
    return GpusAsked(*(min(count, shown) if count is not None else None for count in (asked.parallel, asked.gpus)))


def heads_shared_by(engine: str, flags: Sequence[str]) -> int:
    """GPUs that share each layer's heads by the engine's own flags; 1: none are said."""
    names = _DEGREES[engine][0] if engine in _DEGREES else ("num-shard",)
    return max(_whole(_value(options_in(engine, flags), names)) or 1, 1)


def shown_gpus(flags: Sequence[str], environment: Mapping[str, str], here: int | None) -> int | None:
    """GPUs that CUDA shows an engine, of those here: as a variable among its flags says, or else ours."""
    own = next((found[2] for word in flags if (found := is_assigned(word)) and found[1] == VISIBLE), None)
    said = environment.get(VISIBLE) if own is None else own
    if said is None:
        return here
    named: list[str] = []
    for word in (word.strip() for word in said.split(",")):
        is_number = word.isdecimal() and (here is None or int(word) < here)
        if word in named or not (is_number or word.startswith(("GPU-", "MIG-"))):
            break  # CUDA sees none after one that it does not know
        named.append(word)
        if word.startswith("MIG-"):
            break  # a process sees one part of a GPU at most
    return len(named) if here is None else min(len(named), here)


def _value(said: Mapping[str, list[str]], names: Sequence[str]) -> str | None:
    """A flag's value, by whichever of its names was given last."""
    given = [values[0] for name, values in said.items() if name in names and values]
    return given[-1] if given else None


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"-?\d{1,6}", text) else None


def _product(said: Mapping[str, list[str]], engine: str) -> GpusAsked:
    parallel = copies = 1
    for names in _DEGREES[engine]:
        degree = max(_whole(_value(said, names)) or 1, 1)
        if names[-1] not in _COPIES:
            parallel *= degree
        elif "enable-dp-attention" not in said:  # with it, copies of the attention share the GPUs of one
            copies *= degree
    return GpusAsked(parallel, parallel * copies)


def _tgi(said: Mapping[str, list[str]], shown: int | None) -> GpusAsked:
    """Over all GPUs that it sees, unless it is told."""
    shards = _whole(_value(said, ["num-shard"]))
    if shards is None and (_value(said, ["sharded"]) or "").lower() in _OFF:
        shards = 1
    count = shown if shards is None else max(shards, 1)
    return GpusAsked(count, count)


def _llama_cpp(said: Mapping[str, list[str]], shown: int | None) -> GpusAsked:
    """Layers over all GPUs that it sees, unless it is told which, or to put none there."""
    layers, devices = _whole(_value(said, _LAYERS)), _value(said, ["device", "dev"])
    mode = (_value(said, ["split-mode", "sm"]) or "layer").lower()
    shares = [
        float(text)
        for name in ("tensor-split", "ts")
        for value in said.get(name, [])
        for text in re.split(r"[,/]", value)
        if _NUMBER.fullmatch(text) and math.isfinite(float(text))
    ]
    if layers == 0 or (devices or "").lower() == "none":
        return GpusAsked(0, 0)
    named = [name for name in (devices or "").split(",") if name]
    count = len(named) or shown
    if mode in ("none", "0"):
        count = 1
    elif shares:
        with_a_part = sum(share > 0 for share in (shares if count is None else shares[:count]))
        count = with_a_part or count
    return GpusAsked(count, count)
