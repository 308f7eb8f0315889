"""A box's programs and its /sys as a probe meets them: stand-ins that print what the real ones print."""

from collections.abc import Mapping
from pathlib import Path

MATRIX = """\
\t\x1b[4mGPU0\tGPU1\tGPU2\tGPU3\tNIC0\tCPU Affinity\tNUMA Affinity\tGPU NUMA ID\x1b[0m
GPU0\t X \tNV18\tNV18\tNV18\tPXB\t0-15,32-47\t0\t\tN/A
GPU1\tNV18\t X \tNV18\tSYS\tNODE\t0-15,32-47\t0\t\tN/A
GPU2\tNV18\tNV18\t X \tNV18\tSYS\t16-31,48-63\t1\t\tN/A
GPU3\tNV18\tSYS\tNV18\t X \tSYS\t16-31,48-63\t1\t\tN/A
NIC0\tPXB\tNODE\tSYS\tSYS\t X \t\t\t\t

Legend:

  X    = Self
  SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
  NV#  = Connection traversing a bonded set of # NVLinks

NIC Legend:

  NIC0: mlx5_0
"""
BANNER = """\
Sat Nov 28 09:12:44 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.65.06              Driver Version: 580.65.06      CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
"""
NEW_BANNER = """\
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 610.57.04              KMD Version: 610.57.04     CUDA UMD Version: 13.3     |
+-----------------------------------------+------------------------+----------------------+
"""


def h100(index: int) -> str:
    """A line of --query-gpu: an H100 with the serial's place left out, as it is not asked for."""
    return (
        f"{index}, NVIDIA H100 80GB HBM3, GPU-{index}f2ab7e4-5c11-8a0e-9f5c-6b1f0a7d2c33, 81559, "
        f"00000000:{0x19 + index:02X}:00.0, 5, 16, 700.00, 700.00, 1980, 1980, Enabled, Enabled, Disabled, 580.65.06"
    )


def stand_in(place: Path, name: str, says: Mapping[str, tuple[int, str]]) -> None:
    """A program that prints, by its arguments as a pattern of the shell; any other arguments: exit code 97."""
    cases = []
    for number, (pattern, (code, text)) in enumerate(says.items()):
        said = place / f"{name}.{number}"
        said.write_text(text)
        cases.append(f"  {pattern}) /bin/cat '{said}'; exit {code} ;;")
    program = place / name
    program.write_text("\n".join(["#!/bin/sh", 'case "$*" in', *cases, "esac", 'echo "not so: $*"; exit 97', ""]))
    program.chmod(0o755)


def nvidia_smi(place: Path, gpus: int = 4, banner: str = BANNER) -> None:
    rows = "".join(h100(index) + "\n" for index in range(gpus))
    stand_in(
        place, "nvidia-smi", {'""': (0, banner), '"topo -m"': (0, MATRIX), "--query-gpu=*noheader,nounits": (0, rows)}
    )


def two_socket_tree(root: Path, gpus: int = 4) -> None:
    """/sys, /proc and /etc of two sockets of two cores with two threads each, a NUMA node each; GPUs half on each."""
    write(root / "etc/os-release", 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n')
    write(root / "proc/meminfo", "MemTotal:       2113536000 kB\nMemFree: 1 kB\n")
    write(root / "proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8480+\n" * 2)
    for cpu in range(8):
        topology = root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        write(topology / "physical_package_id", f"{cpu % 4 // 2}\n")
        write(topology / "core_id", f"{cpu % 2}\n")  # repeats from socket to socket
        write(topology / "thread_siblings_list", f"{cpu % 4},{cpu % 4 + 4}\n")
    write(root / "sys/devices/system/cpu/cpufreq/boost", "1\n")
    for node, cpus in enumerate(("0-1,4-5", "2-3,6-7")):
        write(root / f"sys/devices/system/node/node{node}/cpulist", cpus + "\n")
        write(root / f"sys/devices/system/node/node{node}/meminfo", f"Node {node} MemTotal:       1056768000 kB\n")
    for index in range(gpus):
        write(root / f"sys/bus/pci/devices/0000:{0x19 + index:02x}:00.0/numa_node", f"{index // 2}\n")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
