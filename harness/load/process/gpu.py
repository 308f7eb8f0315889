"""What this machine's NVIDIA GPUs say, where there are any and `nvidia-ml-py` is installed (extra `gpu`).

One look is a tuple of `GpuLook`s. The readings are written in the names and units of NVIDIA's DCGM-exporter, so that a
local GPU and a remote page are read by the same code afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import urlsplit

LOCAL = "nvml"  # stands for a URL in the rows

MIB = 2**20
MIB_PER_GIB = 1024
MILLI = 1000.0
CONTEXT_MIB = 64  # less than a process with anything on a GPU takes of its memory
USED_MIB = 1024  # more than a driver keeps for itself on a GPU that nobody uses

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GpuLook:
    """One GPU at one moment; None: it does not tell."""

    index: int
    name: str | None = None
    utilization: int | None = None  # % of the time with work on it
    memory_used_mib: float | None = None
    memory_total_mib: float | None = None
    processes: int | None = None  # that compute on it; a container is not told of those outside
    power_w: float | None = None
    energy_mj: int | None = None  # since the driver was loaded
    clocks_event_reasons: int | None = None  # bits

    @property
    def is_used(self) -> bool:
        """Whether anybody has something on it."""
        return bool(self.processes) or (self.memory_used_mib or 0.0) >= USED_MIB

    def has_grown(self, before: "GpuLook") -> bool:
        """Whether somebody has put something on it since."""
        return (self.memory_used_mib or 0.0) - (before.memory_used_mib or 0.0) >= CONTEXT_MIB


_SERIES: tuple[tuple[str, Callable[[GpuLook], float | None]], ...] = (
    ("DCGM_FI_DEV_GPU_UTIL", lambda look: look.utilization),  # %
    ("DCGM_FI_DEV_FB_USED", lambda look: look.memory_used_mib),
    ("DCGM_FI_DEV_FB_TOTAL", lambda look: look.memory_total_mib),
    ("DCGM_FI_DEV_POWER_USAGE", lambda look: look.power_w),
    ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", lambda look: look.energy_mj),
    ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", lambda look: look.clocks_event_reasons),
)


class LocalGpus:
    """Handles of the GPUs. Every call asks the driver and takes milliseconds: not in the loop that sends."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        count = nvml.nvmlDeviceGetCount()
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]

    def look(self) -> tuple[GpuLook, ...]:
        """All GPUs now, in the driver's order."""
        return tuple(self._look(index, handle) for index, handle in enumerate(self._handles))

    def page(self) -> bytes:
        """One sample of everything, as a page of `/metrics`. What a GPU does not tell is left out."""
        looks = self.look()
        lines = ["# TYPE DCGM_FI_DEV_GPU_UTIL gauge"]
        for name, read in _SERIES:
            told = ((look.index, read(look)) for look in looks)
            lines += [f'{name}{{gpu="{index}"}} {value}' for index, value in told if value is not None]
        return "\n".join(lines).encode()

    def _look(self, index: int, handle: Any) -> GpuLook:
        nvml = self._nvml
        memory = self._told(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        return GpuLook(
            index=index,
            name=self._told(lambda: _text(nvml.nvmlDeviceGetName(handle))),
            utilization=self._told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
            memory_used_mib=None if memory is None else memory.used / MIB,
            memory_total_mib=None if memory is None else memory.total / MIB,
            processes=self._told(lambda: len(nvml.nvmlDeviceGetComputeRunningProcesses(handle))),
            power_w=self._told(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / MILLI),
            energy_mj=self._told(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
            clocks_event_reasons=self._told(lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),
        )

    def _told(self, read: Callable[[], T]) -> T | None:
        """None: the GPU refuses, or the library is too old to ask."""
        try:
            return read()
        except (self._nvml.NVMLError, AttributeError):
            return None


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def is_this_machine(url: str) -> bool:
    """Whether the server at `url` is on this machine, and so on this machine's GPUs."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def local_gpus() -> LocalGpus | None:
    """This machine's GPUs; None without the package, a driver or a GPU."""
    if find_spec("pynvml") is None:
        return None
    import pynvml

    try:
        pynvml.nvmlInit()
        return LocalGpus(pynvml) if pynvml.nvmlDeviceGetCount() else None
    except pynvml.NVMLError:
        return None
