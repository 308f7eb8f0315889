"""Before an engine is started: what cannot come up is refused in one line, what will disappoint is said.

Only what is known here: this machine's GPUs by their driver, weights that lie here by their files, else by their name.
What nobody knows is not refused.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.cost.box.engine_memory import flags_by_name, memory_by_flags
from harness.cost.box.plausible import BYTES_PER_GIB, OVERHEAD_GIB_PER_GPU, weights_gib
from harness.cost.box.weights import kv_values_per_token, weights_named
from harness.engines import engine_kind
from harness.engines.gpus.able import OLDEST_DRIVER, driver_major, not_native, vllm_needs
from harness.engines.gpus.arguments import heads_shared_by
from harness.engines.gpus.layout import Asked, Layout, layout, named_flag, own_layout, settings_of
from harness.engines.gpus.nvml import Gpu, GpuBox, gpus_here
from harness.engines.kind import EngineKind, Settings
from harness.engines.kinds import tgi, vllm
from harness.engines.weights.gated import gated_since, has_token
from harness.engines.weights.gguf import read_gguf
from harness.engines.weights.models import bundled_model_path, is_bundled
from harness.engines.weights.shape import Heads, bytes_here, heads_here, kv_values_here, stored_as

_QUANTIZATION = ("quantization", "q", "quantize")  # of vLLM and SGLang, TGI
_UNSAID_BITS = 16  # of weights on the hub whose name says no other


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be started."""

    kind: EngineKind
    model: str | None
    copies: list[Settings]
    notes: list[str]  # what is said and not refused


@dataclass(frozen=True, slots=True)
class _Model:
    """What is known of the weights that an engine is to load."""

    name: str
    gib: float | None
    how: str  # where that is known from
    heads: Heads | None
    stored: str  # in which numbers, in any words
    kv_values: int | None
    is_here: bool


def plan_start(
    name: str,
    model: str | None,
    settings: Settings,
    asked: Asked,
    box: GpuBox | None = None,
    *,
    quantization: str | None = None,
) -> Plan:
    """The replicas to start and what each is given, all checked.

    `box`: this machine's GPUs unless given; `quantization`: how the user says that the weights are stored.

    Raises:
        UsageError: it cannot come up, and why.
    """
    kind = engine_kind(name)
    box = gpus_here() if box is None else box
    made = layout(asked, box, kind, settings.extra_flags)
    copies, notes = settings_of(made, settings), []
    weights = _weights(kind, model, settings.extra_flags, quantization) if box.gpus or model is not None else None
    if weights is not None:
        _check_gated(weights)
    if box.gpus:
        _check_driver(kind, box)
        notes += _idle(made)
        if weights is not None:
            notes += _check_heads(weights, kind, made, settings.extra_flags)
            for gpus in _of_each_copy(made, box):
                notes += _check_numbers(weights, kind, gpus)
                notes += _check_memory(weights, kind, settings, gpus, box, made)
    return Plan(kind, model, copies, list(dict.fromkeys(notes)))


def _weights(kind: EngineKind, model: str | None, flags: Sequence[str], user: str | None) -> _Model | None:
    """None: there is no model, which the engine itself complains of."""
    if model is None:
        return _gguf(bundled_model_path()) if kind.name != tgi.NAME and is_bundled() else None
    path = Path(model)
    if path.suffix == ".gguf" or kind.backend == "llama_cpp":
        return _gguf(path)
    place = str(path.resolve()) if path.is_dir() else model
    said = flags_by_name(kind.name, list(flags))
    flag = next((said[name] for name in _QUANTIZATION if said.get(name)), None)
    told = flag or user
    named, here = weights_named(model, told), bytes_here(place)
    gib, how = None, ""
    if here is not None and flag is None:  # a flag may have other numbers made of them
        gib, how = here / BYTES_PER_GIB, "by their files"
    elif named.size is not None:
        bits = named.bits or (named.least_bits if told else _UNSAID_BITS)
        gib, how = weights_gib(named.size.total, bits), f"{named.size.total / 1e9:g}B parameters in {bits:g} bits"
    return _Model(
        name=path.name if path.is_dir() else model,
        gib=gib,
        how=how,
        heads=heads_here(place),
        stored=stored_as(place) or told or f"{model.rpartition('/')[2]}{' mxfp4' if named.is_fp4 else ''}",
        kv_values=kv_values_here(place) or named.kv_values,
        is_here=here is not None or path.exists(),
    )


def _gguf(path: Path) -> _Model:
    """A file for llama.cpp, which computes in none of the numbers that it stores; vLLM makes 16 bits of it."""
    file = read_gguf(path)
    heads = Heads(file.heads, file.kv_heads) if file.heads and file.kv_heads else None
    size_gib = file.size_bytes / BYTES_PER_GIB
    return _Model(path.name, size_gib, "by its size", heads, "", kv_values_per_token(path.name), is_here=True)


def _check_gated(weights: _Model) -> None:
    seen_on = gated_since(weights.name)
    if seen_on is None or weights.is_here or has_token():
        return
    raise UsageError(
        f"{weights.name} is gated: the hub gives it only to who has agreed to its terms (seen {seen_on}),"
        " and there is no token",
        hint=f"agree at https://huggingface.co/{weights.name}, then export HF_TOKEN=...",
    )


def _check_driver(kind: EngineKind, box: GpuBox) -> None:
    use, major = kind.gpu_use, driver_major(box.driver)
    if use.cuda is None or major is None or major >= OLDEST_DRIVER[use.cuda]:
        return
    if kind.name == tgi.NAME and tgi.image() != tgi.IMAGE:  # what the user's own is built for, nobody knows
        return
    if use.compatibility is not None and os.environ.get(use.compatibility, "") not in ("", "0"):
        return
    other = f", or on data-centre GPUs {use.compatibility}=1" if use.compatibility else ""
    raise UsageError(
        f"{kind.title} is built for CUDA {use.cuda}, which needs driver {OLDEST_DRIVER[use.cuda]} or newer:"
        f" this machine's is {box.driver}",
        hint=f"a newer driver{other}",
    )


def _idle(made: Layout) -> list[str]:
    """What is said of GPUs that nobody uses, but are paid for."""
    if not made.idle:
        return []
    idle, seen = ", ".join(str(gpu.index) for gpu in made.idle), len(made.idle) + made.shards * made.replicas
    return [
        f"{len(made.idle)} of {seen} GPUs stay idle (GPU {idle}): --replicas N or --tensor-parallel N use more of them"
    ]


def _check_heads(weights: _Model, kind: EngineKind, made: Layout, flags: Sequence[str]) -> list[str]:
    own = own_layout(kind, flags)
    shards = made.shards if own is None else heads_shared_by(kind.name, flags)
    if kind.gpu_use.kv_heads is None:
        if shards < 2:
            return []
        return [f"{kind.title} puts whole layers on each of the {shards} GPUs, and they work one after the other"]
    if weights.heads is None or shards < 2:
        return []
    heads, kv_heads, fits = weights.heads.heads, weights.heads.kv_heads, _fitting(weights.heads, kind)
    hint = f"what divides them: {', '.join(map(str, fits))}"
    if heads % shards:
        raise UsageError(
            f"{own or '--tensor-parallel'} {shards} does not divide the {heads} attention heads of {weights.name}",
            hint=hint,
        )
    if shards not in fits:
        raise UsageError(
            f"{kind.title} cannot share the {kv_heads} KV heads of {weights.name} among {shards} GPUs", hint=hint
        )
    if shards > kv_heads:
        return [
            f"{weights.name} has {kv_heads} KV heads for {shards} GPUs: {kind.title} keeps each {shards // kv_heads}"
            " times, which takes that many times the room in the KV cache"
        ]
    return []


def _fitting(heads: Heads, kind: EngineKind) -> list[int]:
    """The numbers of GPUs that the engine shares these heads among."""
    copies = kind.gpu_use.kv_heads == "copied"
    return [
        n
        for n in range(1, heads.heads + 1)
        if heads.heads % n == 0 and (heads.kv_heads % n == 0 or (copies and n % heads.kv_heads == 0))
    ]


def _check_numbers(weights: _Model, kind: EngineKind, gpus: Sequence[Gpu]) -> list[str]:
    """Weights stored in numbers that the oldest GPU of a copy computes in, or not."""
    gpu = min(gpus, key=lambda each: each.capability or (99, 0))
    if gpu.capability is None:
        return []
    shown = f"{gpu.name} (compute capability {gpu.capability[0]}.{gpu.capability[1]})"
    needs = vllm_needs(weights.stored) if kind.name == vllm.NAME else None
    if needs is not None and gpu.capability < needs[1]:
        raise UsageError(
            f"{kind.title} runs {needs[0]} weights from compute capability {needs[1][0]}.{needs[1][1]} on:"
            f" not on {shown}",
            hint="weights stored in another way, or another GPU",
        )
    number = not_native(weights.stored, gpu.capability)
    if number is None:
        return []
    return [
        f"{shown} has no {number} arithmetic: {weights.name} runs weight-only, it saves memory and computes in 16 bits"
    ]


def _check_memory(
    weights: _Model, kind: EngineKind, settings: Settings, gpus: Sequence[Gpu], box: GpuBox, made: Layout
) -> list[str]:
    flags = settings.extra_flags
    if weights.gib is None or named_flag(kind, flags, kind.gpu_use.elsewhere | kind.gpu_use.machines) is not None:
        return []
    memory = memory_by_flags(kind.name, list(flags), is_capped=kind.gpu_use.is_capped)
    is_even = kind.gpu_use.kv_heads is not None
    have = _gib(gpus, memory.share, is_even=is_even)
    if have is None:
        return []
    if weights.gib > have:
        own = own_layout(kind, flags) is not None
        raise UsageError(
            f"the weights of {weights.name} do not fit: they take {weights.gib:.1f} GiB ({weights.how}),"
            f" {_in_words(gpus)} {'has' if len(gpus) == 1 else 'have'} {have:.1f} GiB for them",
            hint=_way_out(weights.gib, memory.share, box, made, is_own=own, is_even=is_even),
        )
    if weights.kv_values is None:
        return []
    left = have - OVERHEAD_GIB_PER_GPU * len(gpus) - weights.gib
    room = max(left * BYTES_PER_GIB / (weights.kv_values * memory.kv_bits / 8), 0)
    at_once = settings.slots if kind.name == "llama_server" else 1
    if room >= at_once * settings.context_tokens:
        return []
    wanted = f"{at_once} x {settings.context_tokens:,}" if at_once > 1 else f"{settings.context_tokens:,}"
    return [
        f"about {room:,.0f} tokens of KV cache are left beside the weights of {weights.name}, {wanted} are asked for"
    ]


def _gib(gpus: Sequence[Gpu], share: float, *, is_even: bool) -> float | None:
    """What an engine takes of their memory; None: unknown. `is_even`: of each as much as of the smallest."""
    sizes = [gpu.memory_bytes for gpu in gpus if gpu.memory_bytes is not None]
    if not sizes or len(sizes) < len(gpus):
        return None
    return share * (min(sizes) * len(sizes) if is_even else sum(sizes)) / BYTES_PER_GIB


def _of_each_copy(made: Layout, box: GpuBox) -> list[tuple[Gpu, ...]]:
    """Each copy's GPUs; where the engine's own flags lay them out, so many of those that it sees."""
    return [(group or box.gpus)[: made.own] for group in made.groups]


def _in_words(gpus: Sequence[Gpu]) -> str:
    return gpus[0].name if len(gpus) == 1 else f"{len(gpus)} x {gpus[0].name}"


def _way_out(needed_gib: float, share: float, box: GpuBox, made: Layout, *, is_own: bool, is_even: bool) -> str:
    """The fewest GPUs of this machine that hold them."""
    enough = next((n for n in (2, 4, 8, 16) if (_gib(box.gpus[:n], share, is_even=is_even) or 0) >= needed_gib), None)
    less = (
        "weights in fewer bits, or a box with more GPU memory"
        " (fewer bits already? --quantization Q says so; with `engine start` behind `--`)"
    )
    if is_own or enough is None or enough > len(box.gpus) or enough <= made.shards:
        return less
    return f"--tensor-parallel {enough} spreads them over {enough} GPUs"
