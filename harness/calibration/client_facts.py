"""What a run's manifest says of the machine that drives the load, and of the code that did."""

import platform
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil

from harness.calibration.processor import cpu_name, usable_cores
from harness.calibration.quote import facts_for_a_run


def client_facts(*, workers: int, header_names: list[str], extra_body: dict[str, Any]) -> dict[str, Any]:
    """The machine that drives the load. Header values are left out: they may be secrets."""
    return {
        "hostname": socket.gethostname(),
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "workers": workers,
        "calibration": facts_for_a_run(),
        "header_names": sorted(header_names),
        "extra_body": extra_body,
    }


def git_revision() -> str | None:
    """The checkout's commit; None for an installed package."""
    git = shutil.which("git")
    root = Path(__file__).parent.parent.parent
    if git is None or not (root / ".git").exists():
        return None
    done = subprocess.run([git, "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
