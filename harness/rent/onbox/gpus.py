"""The GPUs as nvidia-smi tells them: what each is, how it is set, on which NUMA node it sits, how they are joined."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from .commands import NotSeen, first_line, printed
from .machine import ROOT, pci_numa_node

MIB_PER_GIB = 1024.0
_NO_FIELD = re.compile(r'Field "([^"]+)" is not a valid field')
_CUDA = re.compile(r"CUDA(?: UMD)? Version\s*:\s*(\d+(?:\.\d+)*)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_GPU = re.compile(r"GPU(\d+)")
NO_DEVICES = "No devices were found"


def _words(text: str) -> str:
    return text


def _whole(text: str) -> int:
    return int(text)


def _number(text: str) -> float:
    return float(text)


def _gib(text: str) -> float:
    return round(float(text) / MIB_PER_GIB, 2)


def _switch(text: str) -> bool:
    return {"Enabled": True, "Disabled": False}[text]


FIELDS: Dict[str, Tuple[str, Callable[[str], Any]]] = {  # nvidia-smi's name of each
    "index": ("index", _whole),
    "name": ("name", _words),
    "uuid": ("uuid", _words),
    "memory_gib": ("memory.total", _gib),
    "pci": ("pci.bus_id", _words),
    "pcie_generation": ("pcie.link.gen.max", _whole),
    "pcie_lanes": ("pcie.link.width.max", _whole),
    "power_limit_w": ("power.limit", _number),
    "default_power_limit_w": ("power.default_limit", _number),
    "most_sm_clock_mhz": ("clocks.max.sm", _number),
    "application_clock_mhz": ("clocks.applications.graphics", _number),
    "persistence": ("persistence_mode", _switch),
    "ecc": ("ecc.mode.current", _switch),
    "mig": ("mig.mode.current", _switch),
    "driver": ("driver_version", _words),
}


class Gpus:
    """What this box's driver says, asked part by part."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def is_amd_only(self) -> bool:
        """AMD's driver is here, and not NVIDIA's."""
        return (self._root / "dev/kfd").exists() and not (self._root / "dev/nvidiactl").exists()

    def gpus(self) -> List[Dict[str, Any]]:
        """None: an empty list.

        Raises:
            NotSeen: there are some, or may be, and nobody tells.
        """
        rows = self._rows(list(FIELDS))
        if rows is None:
            if self.is_amd_only():
                raise NotSeen("the driver is AMD's; only NVIDIA's is asked")
            if (self._root / "dev/nvidiactl").exists():
                raise NotSeen("NVIDIA's driver is here, nvidia-smi is not")
            return []
        for row in rows:
            row["numa_node"] = pci_numa_node(row["pci"], self._root) if row["pci"] else None
        return rows

    def _rows(self, asked: List[str]) -> Optional[List[Dict[str, Any]]]:
        """An older or newer driver refuses the whole question for one field it does not know: asked without it."""
        asked = list(asked)
        while asked:
            query = "--query-gpu=" + ",".join(FIELDS[key][0] for key in asked)
            said = printed(["nvidia-smi", query, "--format=csv,noheader,nounits"])
            if said is None:
                return None
            if said.code == 0 or NO_DEVICES in said.text:
                return [] if NO_DEVICES in said.text else _table(asked, said.text)
            refused = _NO_FIELD.search(said.text)
            left = [key for key in asked if refused is None or FIELDS[key][0] != refused.group(1)]
            if len(left) == len(asked):
                raise NotSeen("nvidia-smi: " + first_line(said.text))
            asked = left
        raise NotSeen("nvidia-smi knows none of the fields")

    def cuda(self) -> Optional[str]:
        """The newest CUDA that the driver runs; None without one."""
        said = printed(["nvidia-smi"])
        if said is None:
            return None
        found = _CUDA.search(said.text)
        if found is None and NO_DEVICES not in said.text:
            raise NotSeen("nvidia-smi: " + first_line(said.text))
        return found.group(1) if found else None

    def links(self) -> List[Dict[str, Any]]:
        """How each two GPUs are joined, in nvidia-smi's words: NV18, PIX, PHB, NODE, SYS; [] with fewer than two."""
        said = printed(["nvidia-smi", "topo", "-m"])
        if said is None or NO_DEVICES in said.text:
            return []
        if said.code != 0:
            raise NotSeen("nvidia-smi topo: " + first_line(said.text))
        return links_of(said.text)


def _table(asked: List[str], text: str) -> List[Dict[str, Any]]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    known = [row for row in rows if len(row) == len(asked)]
    if not known:
        raise NotSeen("nvidia-smi: " + first_line(text))
    return [{**dict.fromkeys(FIELDS), **_parsed(dict(zip(asked, row)))} for row in known]


def _parsed(cells: Dict[str, str]) -> Dict[str, Any]:
    """`[N/A]`, `[Not Supported]` and whatever else is no value are None."""
    parsed: Dict[str, Any] = {}
    for key, text in cells.items():
        try:
            parsed[key] = None if text.startswith("[") or text in ("", "N/A") else FIELDS[key][1](text)
        except (ValueError, KeyError):
            parsed[key] = None
    return parsed


def links_of(topology: str) -> List[Dict[str, Any]]:
    """The upper half of the matrix; network cards stand in it too and are passed over."""
    lines = [[cell.strip() for cell in line.split("\t")] for line in _ANSI.sub("", topology).splitlines()]
    head = next((line for line in lines if len(line) > 1 and not line[0] and _GPU.fullmatch(line[1])), None)
    if head is None:
        raise NotSeen("nvidia-smi topo prints no matrix")
    found: List[Dict[str, Any]] = []
    for line in lines:
        own = _GPU.fullmatch(line[0])
        for name, link in zip(head[1:], line[1:]) if own else ():
            other = _GPU.fullmatch(name)
            if own and other and int(own.group(1)) < int(other.group(1)) and link:
                found.append({"a": int(own.group(1)), "b": int(other.group(1)), "link": link})
    return found
