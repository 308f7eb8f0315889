"""This machine's NVIDIA GPUs, as the driver's own library (NVML) tells them. It comes with the driver, no package is
needed. A machine without a driver, a library or a GPU has none: that is no error.

NVML counts all GPUs, by their place on the bus, whatever CUDA_VISIBLE_DEVICES says; that is applied here.
"""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

LIBRARY = "libnvidia-ml.so.1"
VISIBLE = "CUDA_VISIBLE_DEVICES"
PASSED_ON = ("NCCL_P2P_DISABLE", "NCCL_P2P_LEVEL", "NCCL_DEBUG")  # how GPUs talk, where the user has to say
_TEXT_BYTES = 96


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; None: its driver does not tell."""

    index: int  # as nvidia-smi numbers it
    name: str
    uuid: str
    memory_bytes: int | None = None
    capability: tuple[int, int] | None = None  # (8, 6)


@dataclass(frozen=True, slots=True)
class GpuBox:
    """What an engine that is started here may use."""

    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None  # "580.65.06"
    hidden: str | None = None  # CUDA_VISIBLE_DEVICES, where it names what is no whole GPU of this machine


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


def gpus_here() -> GpuBox:
    """The GPUs that a process started here sees."""
    try:
        nvml = ctypes.CDLL(LIBRARY)
        if nvml.nvmlInit_v2() != 0:
            return GpuBox()
    except (OSError, AttributeError):
        return GpuBox()
    try:
        return visible(_read(nvml), os.environ.get(VISIBLE))
    except AttributeError:  # a library without one of these functions
        return GpuBox()
    finally:
        nvml.nvmlShutdown()


def visible(box: GpuBox, said: str | None) -> GpuBox:
    """The box as CUDA_VISIBLE_DEVICES leaves it: numbers, or the beginnings of UUIDs; None: it is not set.

    As CUDA does, what comes after a number that is none of a GPU is not seen.
    """
    if said is None or not box.gpus:
        return box
    seen: list[Gpu] = []
    for word in filter(None, (word.strip() for word in said.split(","))):
        found = [g for g in box.gpus if str(g.index) == word or (word.startswith("GPU-") and g.uuid.startswith(word))]
        if len(found) == 1 and found[0] not in seen:
            seen += found
        elif word.startswith("MIG"):
            return replace(box, gpus=(), hidden=said)
        else:
            break
    return replace(box, gpus=tuple(seen), hidden=None if seen else said)


def environment(gpus: Sequence[int]) -> dict[str, str]:
    """Variables that show a process these GPUs alone; CUDA counts in NVML's order only where it is told to."""
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", VISIBLE: ",".join(map(str, gpus))} if gpus else {}


def _read(nvml: ctypes.CDLL) -> GpuBox:
    count = ctypes.c_uint()
    if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
        return GpuBox()
    driver = ctypes.create_string_buffer(_TEXT_BYTES)
    told = nvml.nvmlSystemGetDriverVersion(driver, ctypes.c_uint(_TEXT_BYTES)) == 0
    gpus = tuple(gpu for gpu in (_gpu(nvml, index) for index in range(count.value)) if gpu is not None)
    return GpuBox(gpus, driver.value.decode(errors="replace") if told else None)


def _gpu(nvml: ctypes.CDLL, index: int) -> Gpu | None:
    handle = ctypes.c_void_p()
    if nvml.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(index), ctypes.byref(handle)) != 0:
        return None
    name, uuid = (ctypes.create_string_buffer(_TEXT_BYTES) for _ in range(2))
    nvml.nvmlDeviceGetName(handle, name, ctypes.c_uint(_TEXT_BYTES))
    nvml.nvmlDeviceGetUUID(handle, uuid, ctypes.c_uint(_TEXT_BYTES))
    memory, major, minor = _Memory(), ctypes.c_int(), ctypes.c_int()
    has_memory = nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) == 0
    parts = ctypes.byref(major), ctypes.byref(minor)
    has_capability = nvml.nvmlDeviceGetCudaComputeCapability(handle, *parts) == 0
    return Gpu(
        index=index,
        name=name.value.decode(errors="replace"),
        uuid=uuid.value.decode(errors="replace"),
        memory_bytes=int(memory.total) if has_memory else None,
        capability=(major.value, minor.value) if has_capability else None,
    )
