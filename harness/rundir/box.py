"""What a rented box says of itself: enough to rent the same one again, and to see what else could explain a figure."""

from collections import Counter
from typing import Annotated

from pydantic import ConfigDict, Field

from harness.rundir.result import Result

MOST = 4096  # of a list: a kernel has no more NUMA nodes or GPUs
_Word = Annotated[str, Field(max_length=1000)]
_Count = Annotated[int, Field(ge=0)]
_Amount = Annotated[float, Field(ge=0)]


class _Said(Result):
    """A part of what it says: a newer box may say more, and each may be unknown."""

    model_config = ConfigDict(strict=True, extra="ignore")


class BoxInstance(_Said):
    """What its cloud says of it."""

    cloud: _Word
    id: _Word | None = None
    type: _Word | None = None
    region: _Word | None = None
    zone: _Word | None = None
    image: _Word | None = None
    lifecycle: _Word | None = None  # on_demand, spot, or another word of the cloud's


class BoxSystem(_Said):
    """Its operating system."""

    kernel: _Word | None = None
    release: _Word | None = None
    architecture: _Word | None = None


class BoxCpu(_Said):
    """Its CPUs; `usable_threads`: what the commands that run on it may use."""

    model: _Word | None = None
    sockets: _Count | None = None
    cores: _Count | None = None
    threads: _Count | None = None
    usable_threads: _Count | None = None


class NumaNode(_Said):
    """CPUs as the kernel lists them: `0-15,32-47`."""

    node: _Count
    cpus: _Word | None = None
    memory_gib: _Amount | None = None


class BoxGpu(_Said):
    """A GPU, and how it is set."""

    index: _Count | None = None
    name: _Word | None = None
    uuid: _Word | None = None
    driver: _Word | None = None
    memory_gib: _Amount | None = None
    pci: _Word | None = None
    numa_node: _Count | None = None
    pcie_generation: _Count | None = None  # the most that it and its slot can do
    pcie_lanes: _Count | None = None
    power_limit_w: _Amount | None = None
    default_power_limit_w: _Amount | None = None
    most_sm_clock_mhz: _Amount | None = None
    application_clock_mhz: _Amount | None = None
    persistence: bool | None = None
    ecc: bool | None = None
    mig: bool | None = None


class GpuLink(_Said):
    """How two GPUs are joined, in nvidia-smi's words: NV18, PIX, PHB, NODE, SYS."""

    a: _Count
    b: _Count
    link: _Word


class RunningImage(_Said):
    """An image of which a container runs."""

    name: _Word | None = None  # that it was started by
    id: _Word | None = None
    digests: Annotated[list[_Word], Field(max_length=MOST)] = Field(default=[])


class BoxFacts(_Said):
    """All of it; None: not seen, and `not_seen` has a word why."""

    version: _Count = Field(default=1, alias="schema")
    seen_at: _Word | None = None  # UTC, ISO 8601
    instance: BoxInstance | None = None  # None, and nothing in `not_seen`: no cloud answers
    system: BoxSystem | None = None
    cpu: BoxCpu | None = None
    memory_gib: _Amount | None = None
    numa: Annotated[list[NumaNode], Field(max_length=MOST)] | None = None
    gpus: Annotated[list[BoxGpu], Field(max_length=MOST)] | None = None
    cuda: _Word | None = None  # the newest that the driver runs
    gpu_links: Annotated[list[GpuLink], Field(max_length=MOST * MOST)] | None = None
    images: Annotated[list[RunningImage], Field(max_length=MOST)] | None = None
    python: _Word | None = None
    not_seen: dict[_Word, _Word] = Field(default={})

    @property
    def driver(self) -> str | None:
        """Of its GPUs."""
        return ", ".join(sorted({gpu.driver for gpu in self.gpus or () if gpu.driver})) or None

    def words(self) -> str:
        """For a reader, in a line."""
        parts = [*self._instance_words(), *self._gpu_words(), *self._numa_words()]
        return "; ".join(parts) if parts else "it told nothing"

    def _instance_words(self) -> list[str]:
        of = self.instance
        if of is None:
            return []
        known = [part for part in (of.type, of.zone or of.region, of.lifecycle) if part]
        named = f"{of.cloud} {of.id or 'instance'}" + (f" ({', '.join(known)})" if known else "")
        return [named, f"image {of.image}"] if of.image else [named]

    def _gpu_words(self) -> list[str]:
        if self.gpus is None:
            return ["GPUs not seen"]
        if not self.gpus:
            return ["no GPU"]
        driver = f"driver {self.driver or 'unknown'}"
        kinds = Counter(gpu.name or "GPU" for gpu in self.gpus)
        named = ", ".join(f"{count} x {name}" for name, count in kinds.items())
        return [named, driver + (f" (CUDA {self.cuda})" if self.cuda else ""), *self._link_words()]

    def _link_words(self) -> list[str]:
        kinds = sorted({link.link for link in self.gpu_links or ()})
        return [f"GPUs joined by {', '.join(kinds)}"] if kinds else []

    def _numa_words(self) -> list[str]:
        """How many nodes, and where the GPUs are on more than one."""
        if not self.numa:
            return []
        placed = [(gpu.numa_node, str(gpu.index)) for gpu in self.gpus or () if gpu.index is not None]
        of_node = {node.node: [gpu for at, gpu in placed if at == node.node] for node in self.numa}
        sits = [f"GPU {', '.join(gpus)} on {node}" for node, gpus in of_node.items() if gpus]
        count = f"{len(self.numa)} NUMA node{'' if len(self.numa) == 1 else 's'}"
        return [count + (f" ({'; '.join(sits)})" if sits and len(self.numa) > 1 else "")]
