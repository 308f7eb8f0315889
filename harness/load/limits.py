"""What this machine allows a load to have open: files a process, ports to one address. Read before anything is sent."""

import fcntl
import math
import os
import resource
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from harness.base.errors import UsageError

SPARE_FILES = 64  # interpreter, loop, records, scrapes
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
SPARE_PORTS = 256  # of other programs, and of connections just closed


def files_needed(most_at_once: int, workers: int) -> int:
    """Open files that each of `workers` processes needs for its share of the requests in flight."""
    return math.ceil(most_at_once / workers) + SPARE_FILES


def check_limits(most_at_once: int, workers: int, urls: Sequence[str]) -> None:
    """Refuse a load that cannot be had here.

    Raises:
        UsageError: more connections than a process may open, or than there are ports to one address.
    """
    needed, most_files = files_needed(most_at_once, workers), hard_file_limit()
    if needed > most_files:
        enough = math.ceil(most_at_once / max(most_files - SPARE_FILES, 1))
        raise UsageError(
            f"{most_at_once} requests at once need {needed} open files in each of {workers} load processes, "
            f"the limit is {most_files}",
            hint=f"--workers {enough}, `ulimit -Hn {needed}` as root, or a lower `load.users` or `load.max_in_flight`",
        )
    ports, addresses = local_ports(), len({urlsplit(url).netloc for url in urls})
    if ports is None or not addresses:
        return
    per_address = math.ceil(most_at_once / addresses)
    if per_address + SPARE_PORTS > ports:
        raise UsageError(
            f"{per_address} requests at once to one address need as many local ports, there are {ports}",
            hint=f"sysctl -w net.ipv4.ip_local_port_range='1024 65535', more --url, or a lower load ({PORT_RANGE})",
        )


def hard_file_limit() -> int:
    """The most files that a process may have open here, however it asks."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def allow_open_files(needed: int) -> None:
    """Raise this process's own limit to `needed` where it is lower; `check_limits` has seen that it may.

    The kernel's table of open files is made as large at once. It grows by doubling, and in a process with threads
    each growth waits for all processors: a socket opened in the middle of a load would stop it for 10 ms and more.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    with Path(os.devnull).open("rb") as null:
        os.close(fcntl.fcntl(null.fileno(), fcntl.F_DUPFD_CLOEXEC, needed - 1))


def local_ports() -> int | None:
    """How many ports a connection may start from; None where the system does not say."""
    try:
        low, high = map(int, PORT_RANGE.read_text().split())
    except (OSError, ValueError):
        return None
    return high - low + 1
