"""What this machine's NVIDIA GPUs say, where there are any and `nvidia-ml-py` is installed (extra `gpu`).

The readings are written in the names and units of NVIDIA's DCGM-exporter, so that a local GPU and a remote page
are read by the same code afterwards.
"""

from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

LOCAL = "nvml"  # stands for a URL in the rows

MIB = 2**20
MILLI = 1000.0


class LocalGpus:
    """Handles of the GPUs. Every call asks the driver and takes milliseconds: not in the loop that sends."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        count = nvml.nvmlDeviceGetCount()
        self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]

    def page(self) -> bytes:
        """One sample of everything, as a page of `/metrics`. What a GPU does not tell is left out."""
        nvml = self._nvml
        readers = {
            "DCGM_FI_DEV_GPU_UTIL": lambda h: nvml.nvmlDeviceGetUtilizationRates(h).gpu,  # %
            "DCGM_FI_DEV_FB_USED": lambda h: nvml.nvmlDeviceGetMemoryInfo(h).used / MIB,  # MiB
            "DCGM_FI_DEV_FB_TOTAL": lambda h: nvml.nvmlDeviceGetMemoryInfo(h).total / MIB,
            "DCGM_FI_DEV_POWER_USAGE": lambda h: nvml.nvmlDeviceGetPowerUsage(h) / MILLI,  # W
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": nvml.nvmlDeviceGetTotalEnergyConsumption,  # mJ
            "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": nvml.nvmlDeviceGetCurrentClocksEventReasons,  # bits
        }
        lines = ["# TYPE DCGM_FI_DEV_GPU_UTIL gauge"]
        for name, read in readers.items():
            for index, handle in enumerate(self._handles):
                try:
                    lines.append(f'{name}{{gpu="{index}"}} {read(handle)}')
                except nvml.NVMLError:
                    continue
        return "\n".join(lines).encode()


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
