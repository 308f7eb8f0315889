"""The machine as Linux tells it: kernel, CPU, memory, NUMA nodes."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any, Dict, List, Optional

from .commands import NotSeen, printed

ROOT = Path("/")
KIB_PER_GIB = 1024.0 * 1024.0
_MODEL = re.compile(r"^\s*model name\s*:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_TOTAL = re.compile(r"MemTotal:\s*(\d+) kB")
_NAME = re.compile(r"""^PRETTY_NAME=["']?(.*?)["']?\s*$""", re.MULTILINE)


def system(root: Path = ROOT) -> Dict[str, Any]:
    """The kernel and what it is part of."""
    named = _NAME.search(read_text(root / "etc/os-release") or "")
    return {
        "kernel": platform.release(),
        "release": named.group(1) if named else None,
        "architecture": platform.machine(),
    }


def cpu(root: Path = ROOT) -> Dict[str, Any]:
    """Model, and how many: an ARM kernel does not tell the model, lscpu knows it."""
    info = read_text(root / "proc/cpuinfo")
    if info is None:
        raise NotSeen("/proc/cpuinfo cannot be read")
    model = _MODEL.search(info)
    if model is None:
        said = printed(["lscpu"])
        model = _MODEL.search(said.text) if said is not None else None
    topologies = [path / "topology" for path in (root / "sys/devices/system/cpu").glob("cpu[0-9]*")]
    return {
        "model": model.group(1) if model else None,
        "sockets": _different(topologies, "physical_package_id"),
        "cores": _different(topologies, "thread_siblings_list"),  # core_id repeats from die to die
        "threads": os.cpu_count(),
        "usable_threads": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def _different(topologies: List[Path], name: str) -> Optional[int]:
    """How many different values a file has; a thread that is switched off has none."""
    return len({text for text in (read_text(path / name) for path in topologies) if text is not None}) or None


def memory_gib(root: Path = ROOT) -> float:
    """Of the whole machine."""
    total = _TOTAL.search(read_text(root / "proc/meminfo") or "")
    if total is None:
        raise NotSeen("/proc/meminfo cannot be read")
    return round(int(total.group(1)) / KIB_PER_GIB, 2)


def numa(root: Path = ROOT) -> List[Dict[str, Any]]:
    """Each NUMA node: its CPUs as the kernel lists them (`0-15,32-47`) and its memory.

    Raises:
        NotSeen: the kernel tells of none.
    """
    folders = {int(path.name[4:]): path for path in (root / "sys/devices/system/node").glob("node[0-9]*")}
    if not folders:
        raise NotSeen("this kernel lists no NUMA nodes")
    return [_node(number, folders[number]) for number in sorted(folders)]


def _node(number: int, folder: Path) -> Dict[str, Any]:
    cpus, total = read_text(folder / "cpulist"), _TOTAL.search(read_text(folder / "meminfo") or "")
    return {
        "node": number,
        "cpus": cpus.strip() if cpus is not None else None,
        "memory_gib": round(int(total.group(1)) / KIB_PER_GIB, 2) if total else None,
    }


def pci_numa_node(bus_id: str, root: Path = ROOT) -> Optional[int]:
    """Of the device that nvidia-smi calls 00000000:17:00.0; None where the kernel says -1, or nothing."""
    domain, _, rest = bus_id.lower().partition(":")
    said = read_text(root / "sys/bus/pci/devices" / (domain[-4:] + ":" + rest) / "numa_node")
    number = said.strip() if said is not None else ""
    return int(number) if number.isdigit() else None


def read_text(path: Path) -> Optional[str]:
    """The beginning of a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4 * 1024 * 1024).decode("utf-8", "replace")
    except OSError:
        return None
