"""How the copies of a model's weights are laid out over the GPUs: so many copies, each over so many GPUs."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from harness.base.engine_options import option_in
from harness.base.errors import UsageError
from harness.engines.gpus.arguments import gpus_asked
from harness.engines.gpus.nvml import Gpu, GpuBox
from harness.engines.kind import EngineKind, Settings, usable_cpus

MOST_COPIES = 64
ALL = "all"
_Said = int | str | tuple[int, ...]  # of --gpus: so many, ALL, or those of these numbers
_GPUS_HINT = "--gpus 0,1 names two of them, --gpus 1, one, --gpus 2 takes the first two, --gpus all takes all"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a user says of it; None: nothing."""

    gpus: str | None = None  # "0,1,2,3", "4" or "all"
    tensor_parallel: int | None = None
    replicas: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """The GPUs of each copy, one tuple a copy; empty ones where the engine is not told which to take."""

    groups: tuple[tuple[Gpu, ...], ...] = ((),)
    idle: tuple[Gpu, ...] = ()  # that no copy has
    own: int | None = None  # GPUs of a copy, where the engine's own flags say so

    @property
    def replicas(self) -> int:
        """Copies of the weights."""
        return len(self.groups)

    @property
    def shards(self) -> int:
        """GPUs of one copy; 0: it is not told."""
        return len(self.groups[0])


def layout(asked: Asked, box: GpuBox, kind: EngineKind, flags: Sequence[str] = ()) -> Layout:
    """The layout that was asked for, one copy on one GPU where nothing was. `flags` are the engine's own.

    Raises:
        UsageError: more GPUs are asked for than there are, or they cannot be shared out so.
    """
    said = None if asked.gpus is None else _said(asked.gpus)
    own = own_layout(kind, flags)
    if own is not None:
        _check_own(asked, own, kind)
        if said is None or box.gpus:
            return _by_own(own, said, box, kind, flags)
    if not box.gpus:
        return _without_gpus(asked, box, kind)
    chosen, replicas = _chosen(said or ALL, box), asked.replicas or 1
    shards = asked.tensor_parallel or (_shared_out(chosen, replicas) if said else 1)
    needed = shards * replicas
    if needed > len(chosen):
        parts = [f"--tensor-parallel {shards}"] * (shards > 1) + [f"--replicas {replicas}"] * (replicas > 1)
        raise UsageError(
            f"{' x '.join(parts)} {'need' if len(parts) > 1 else 'needs'} {needed} GPUs, {_there(said, chosen)}",
            hint="fewer replicas, or fewer GPUs for each" if replicas > 1 else "a smaller --tensor-parallel",
        )
    groups = tuple(chosen[n * shards : (n + 1) * shards] for n in range(replicas))
    return Layout(groups, chosen[needed:])


def own_layout(kind: EngineKind, flags: Sequence[str]) -> str | None:
    """The engine's own flag that lays out GPUs, where the user has given one."""
    return named_flag(kind, flags, kind.gpu_use.flags)


def named_flag(kind: EngineKind, flags: Sequence[str], names: Set[str]) -> str | None:
    """The first of the flags that is one of these, as it was written."""
    bare = {name.lstrip("-") for name in names}
    given = ((word.partition("=")[0], option_in(kind.name, word)) for word in flags)
    return next((word for word, option in given if option is not None and option[0] in bare), None)


def settings_of(made: Layout, settings: Settings) -> list[Settings]:
    """What each copy is started with: its GPUs, its port, its share of the cores."""
    threads = max(settings.threads // made.replicas, 1)
    cpus = len(usable_cpus())
    return [
        replace(
            settings,
            gpus=tuple(gpu.index for gpu in group),
            port=None if settings.port is None else settings.port + n,
            threads=settings.threads if made.replicas == 1 else threads,
            first_cpu=0 if made.replicas == 1 else n * threads % cpus,
        )
        for n, group in enumerate(made.groups)
    ]


def _check_own(asked: Asked, own: str, kind: EngineKind) -> None:
    if asked.tensor_parallel is None and asked.replicas in (None, 1):
        return
    ours = "--tensor-parallel" if asked.tensor_parallel is not None else "--replicas"
    raise UsageError(
        f"{ours} and {kind.title}'s own `{own}` both lay out the GPUs", hint=f"leave `{own}` out, or {ours}"
    )


def _by_own(own: str, said: _Said | None, box: GpuBox, kind: EngineKind, flags: Sequence[str]) -> Layout:
    """As the engine's own flags lay it out, over the GPUs that --gpus names."""
    gpus = box.gpus if said is None else _chosen(said, box)
    needed = gpus_asked(kind.name, flags, None).gpus or 0
    if kind.gpu_use.kv_heads and needed > len(gpus) > 0 and named_flag(kind, flags, kind.gpu_use.machines) is None:
        raise UsageError(
            f"{kind.title}'s own `{own}` needs {needed} GPUs, {_there(said, gpus)}", hint="fewer GPUs for a copy"
        )
    of_a_copy = gpus_asked(kind.name, flags, len(gpus)).parallel
    return Layout((() if said is None else gpus,), own=of_a_copy or None)


def _without_gpus(asked: Asked, box: GpuBox, kind: EngineKind) -> Layout:
    """Copies on the CPU, or on whatever the engine finds by itself."""
    told = next(
        (
            words
            for words, value in ((f"--gpus {asked.gpus}", asked.gpus is not None),
                                 (f"--tensor-parallel {asked.tensor_parallel}", (asked.tensor_parallel or 1) > 1))
            if value
        ),
        None,
    )  # fmt: skip
    if told is None:
        return Layout(((),) * (asked.replicas or 1))
    if box.hidden is not None:
        raise UsageError(f"{told}: CUDA_VISIBLE_DEVICES={box.hidden} leaves no whole GPU of this machine to be seen")
    raise UsageError(
        f"{told}: this machine has no NVIDIA GPU, or its driver does not answer",
        hint=f"nvidia-smi shows what there is; without these options {kind.title} runs on what it finds",
    )


def _said(text: str) -> _Said:
    """What --gpus says, whatever GPUs there are."""
    words = text.removesuffix(",").split(",")
    if text == ALL:
        return ALL
    if not all(word.isascii() and word.isdecimal() and len(word) < 6 for word in words):
        raise UsageError(f"--gpus {text!r} is no number, no list of numbers and not `all`", hint=_GPUS_HINT)
    numbers = tuple(map(int, words))
    if "," not in text:
        if not numbers[0]:
            raise UsageError("--gpus 0 takes no GPU", hint=_GPUS_HINT)
        return numbers[0]
    if len(set(numbers)) < len(numbers):
        raise UsageError(f"--gpus {text} names a GPU twice", hint=_GPUS_HINT)
    return numbers


def _chosen(said: _Said, box: GpuBox) -> tuple[Gpu, ...]:
    """The GPUs of the box that it names."""
    if isinstance(said, str):
        return box.gpus
    if isinstance(said, int):
        return _first(said, box)
    known = {gpu.index: gpu for gpu in box.gpus}
    if (missing := next((n for n in said if n not in known), None)) is not None:
        seen = ", ".join(map(str, known))
        named = ",".join(map(str, said))
        raise UsageError(f"--gpus {named}: there is no GPU {missing} to be seen here", hint=f"there are: {seen}")
    return tuple(known[n] for n in said)


def _there(said: _Said | None, gpus: Sequence[Gpu]) -> str:
    return f"{'there are' if said in (None, ALL) else '--gpus names'} {len(gpus)}"


def _first(count: int, box: GpuBox) -> tuple[Gpu, ...]:
    if count > len(box.gpus):
        raise UsageError(f"--gpus {count}: there are {len(box.gpus)} GPUs here", hint=_GPUS_HINT)
    return box.gpus[:count]


def _shared_out(chosen: tuple[Gpu, ...], replicas: int) -> int:
    """GPUs of each copy, where all that were named are used."""
    if replicas > len(chosen):
        return 1
    if len(chosen) % replicas:
        raise UsageError(
            f"{len(chosen)} GPUs cannot be shared out evenly over --replicas {replicas}",
            hint="--tensor-parallel says how many each has; what is left stays idle",
        )
    return len(chosen) // replicas
