"""What Breakeven must know about an engine to run it: the types that every engine module fills in."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Progress = Callable[[str], None]
"""Takes one short line that says what is being done."""


def usable_cpus() -> list[int]:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Settings:
    """How large an engine is started. Equal settings are equal work for every engine."""

    context_tokens: int = 2048  # prompt + output of the longest single request
    slots: int = 1  # requests that an engine with batching serves at once
    port: int | None = None  # None: any free one
    threads: int = field(default_factory=lambda: len(usable_cpus()))  # of prompt processing
    first_cpu: int = 0  # of those we may use: another copy beside this one has others
    gpus: tuple[int, ...] = ()  # as nvidia-smi numbers them; (): the engine is not told, and takes what it finds
    extra_flags: tuple[str, ...] = ()  # given last, so they win

    @property
    def decode_threads(self) -> int:
        """Threads that generate: one fewer than cores, but at least one.

        llama.cpp's threads wait for each other, spinning, some hundred times a token: one that must share its core
        with the load generator makes all of them slow (on 2 cores: 15 tok/s instead of 55 with any neighbour).
        """
        return max(self.threads - 1, 1)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """How an engine uses GPUs, as far as it matters before it is started."""

    flags: frozenset[str]  # its own that say which or how many, with hyphens
    elsewhere: frozenset[str]  # its own that leave some weights outside the GPUs
    cuda: int | None = None  # the major version it is built for; None: it is built on this machine
    kv_heads: Literal["copied", "divided"] | None = None
    """How GPUs share a layer's heads: KV heads that are fewer than GPUs are copied, or must be divided too; None:
    whole layers are shared out, whatever their heads."""
    is_capped: bool = False  # it takes a share of each GPU's memory and no more, where no flag says which
    machines: frozenset[str] = frozenset()  # its own that may put GPUs of other machines in
    compatibility: str | None = None  # the variable that has it run under drivers older than its CUDA wants


@dataclass(frozen=True, slots=True)
class Launch:
    """One command line that starts an engine."""

    command: list[str]
    flags: list[str]  # what a run may publish: as given, but a model's file name for its path
    loads: str  # the model in words: "SmolLM2-135M-Instruct.Q4_1.gguf (98 MB)"
    quantization: str | None
    environment: Mapping[str, str] = field(default_factory=dict)
    cleanup: list[str] | None = None  # a command to run after the engine has ended, whatever it says


@dataclass(frozen=True, slots=True)
class Identity:
    """What a running engine says about itself; None where it does not."""

    version: str | None
    model: str | None
    context_tokens: int | None = None
    slots: int | None = None


@dataclass(frozen=True, slots=True)
class EngineKind:
    """One engine that Breakeven can install, start, ask and stop.

    `launch(model, settings, port, progress)` raises EngineError when the engine is not installed;
    `identify(base_url)` asks an engine that is ready and idle; `install(progress)` does nothing when there is
    nothing to do.
    """

    name: str  # as on the command line: "llama_server"
    title: str  # as in prose: "llama-server"
    backend: str  # the wire dialect that drives it: a key of harness.backends.BACKENDS
    ready_path: str  # answers 200 once the engine serves
    ready_timeout_s: float
    launch: Callable[[str | Path | None, Settings, int, Progress], Launch]
    identify: Callable[[str], Identity]
    install: Callable[[Progress], None]
    installed_version: Callable[[], str | None]  # None: not installed
    gpu_use: GpuUse


def published_flags(flags: list[str], model_path: Path) -> list[str]:
    """The flags with the model's file name for its path."""
    return [model_path.name if flag == str(model_path) else flag for flag in flags]
