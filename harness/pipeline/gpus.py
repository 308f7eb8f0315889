"""Which GPUs are used by what is measured, as far as its arguments, its log, its own words and NVML tell it."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import UsageError
from harness.cost.box.gpu_share import gpu_share
from harness.engines.gpus.arguments import gpus_asked, shown_gpus
from harness.engines.life.running import Engine
from harness.load.process.gpu import MIB_PER_GIB, GpuLook, is_this_machine, local_gpus
from harness.load.protocol import Identified, Looked
from harness.rundir.identity import GpuSeen, Identity, SaidCount
from harness.rundir.manifest import InstanceFacts, RunManifest

ARGUMENTS, LOG, NVML, MACHINE = "by its arguments", "by its log", "by NVML", "no GPU is on this machine"
LOG_BYTES = 1 << 20  # of an engine's log, from its beginning, in which it says what it found
DEVICES = tuple(map(Path, ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")))  # NVIDIA's driver, AMD's, Windows' for Linux
_NONE_IN_LOG = re.compile(rb"no usable GPU found|offloaded 0/\d+ layers to GPU")
_LLAMA_CPP = frozenset({"llama_server", "llama_cpp_python"})


def look_here() -> tuple[GpuLook, ...]:
    """This machine's GPUs now; none where it has none, or nobody can ask its driver."""
    gpus = local_gpus()
    return gpus.look() if gpus is not None else ()


def note_gpus_of_engines(manifest: RunManifest, engines: Sequence[Engine], before: Sequence[GpuLook]) -> None:
    """The GPUs of equal engines that we started; `before`: a look before their start."""
    now = look_here()
    _note_seen(manifest, now)
    assert manifest.identity is not None
    first = engines[0]
    shown = shown_gpus(first.flags, os.environ, len(now) or (None if has_gpu_devices() else 0))
    asked = gpus_asked(first.name, first.flags, shown)
    update: dict[str, SaidCount | None] = {"gpus_used": _used_by_engines(engines, asked.gpus, before, now)}
    if manifest.identity.parallel is None and asked.parallel:
        update["parallel"] = SaidCount(value=asked.parallel, said_by=ARGUMENTS)
    manifest.identity = manifest.identity.model_copy(update=update)


def _used_by_engines(
    engines: Sequence[Engine], each: int | None, before: Sequence[GpuLook], now: Sequence[GpuLook]
) -> SaidCount | None:
    """What an engine asks for it need not have: a log that found no GPU, and memory that nobody took, say more."""
    if not now and not has_gpu_devices():
        return SaidCount(value=0, said_by=MACHINE)
    if each == 0:
        return SaidCount(value=0, said_by=ARGUMENTS)
    if any(_found_none(engine) for engine in engines):
        return SaidCount(value=0, said_by=LOG)
    total = each * len(engines) if each is not None else None
    if not now or len(now) != len(before):
        return SaidCount(value=total, said_by=ARGUMENTS) if total is not None else None
    grown = sum(look.has_grown(then) for then, look in zip(before, now, strict=True))
    if total is not None and grown >= total:
        return SaidCount(value=total, said_by=f"{ARGUMENTS} and {NVML}")
    return SaidCount(value=grown, said_by=NVML)


def _found_none(engine: Engine) -> bool:
    """Whether llama.cpp has said so."""
    if engine.name not in _LLAMA_CPP:
        return False
    try:
        with engine.process.log_path.open("rb") as log:
            return _NONE_IN_LOG.search(log.read(LOG_BYTES)) is not None
    except OSError:
        return False


def note_gpus_said(manifest: RunManifest, event: Identified | Looked) -> None:
    """The GPUs of what answers: as each URL says of itself, and as this machine's driver does where all are here."""
    identity = manifest.identity
    if identity is None:
        return
    each = event.identity.gpus_used if isinstance(event, Identified) else event.gpus
    if isinstance(event, Looked) and each is None:
        return  # it has told nothing that is new
    now = look_here() if all(is_this_machine(url) for url in manifest.urls) else ()
    _note_seen(manifest, now)
    update = {"gpus_used": _used_by_urls(identity, each, len(manifest.urls), now)}
    if isinstance(event, Looked) and identity.parallel is None:
        update["parallel"] = event.parallel
    manifest.identity = identity.model_copy(update=update)


def _used_by_urls(said: Identity, each: SaidCount | None, urls: int, now: Sequence[GpuLook]) -> SaidCount | None:
    """Others may use GPUs beside what answers: then NVML sees too many. Behind a tunnel it sees none of them."""
    seen = sum(look.is_used for look in now)
    if each is None:
        is_none = bool(now) and said.engine in _LLAMA_CPP
        return SaidCount(value=seen, said_by=NVML) if seen or is_none else None
    total = each.value * urls
    if 0 < seen < total:
        return SaidCount(value=seen, said_by=NVML)
    return SaidCount(value=total, said_by=f"so says {each.said_by}")


def _note_seen(manifest: RunManifest, looks: Sequence[GpuLook]) -> None:
    if not looks:
        return
    manifest.gpus = [
        GpuSeen(
            index=look.index,
            name=look.name,
            memory_used_gib=_gib(look.memory_used_mib),
            memory_total_gib=_gib(look.memory_total_mib),
            processes=look.processes,
        )
        for look in looks
    ]


def _gib(mib: float | None) -> float | None:
    return None if mib is None else mib / MIB_PER_GIB


def has_gpu_devices() -> bool:
    """Whether a GPU's driver is on this machine; elsewhere than on Linux nobody looks."""
    return sys.platform != "linux" or any(path.exists() for path in DEVICES)


def check_gpus(manifest: RunManifest, box_gpus: int | None) -> None:
    """Whether the instance that was named, with so many GPUs, can be what is measured.

    Raises:
        UsageError: it cannot: none of them is used, or more than it has.
    """
    asked = InstanceFacts.model_validate(manifest.instance)
    share = gpu_share(manifest.identity, asked, box_gpus, asked.id or "")
    if share is None or share.error is None:
        return
    who = manifest.identity.engine if manifest.identity is not None else None
    hint = "name the instance that it really runs on with --instance, or start an engine that uses its GPUs"
    if who == "llama_server" and not share.used:
        hint += " (llama-server with CUDA: BREAKEVEN_LLAMA_SERVER_CMAKE_ARGS=-DGGML_CUDA=on, then `engine install`)"
    raise UsageError(f"{who or 'what answers'}: {share.error}", hint=hint)
