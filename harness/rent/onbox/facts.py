"""What machine this is: all that a reader needs to rent the same one and to believe the figures."""

from __future__ import annotations

import json
import platform
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Optional

from .commands import NotSeen
from .containers import images
from .gpus import Gpus
from .instance import instance
from .machine import ROOT, cpu, memory_gib, numa, system
from .metadata import Metadata

SCHEMA = 1
MOST_S = 20.0  # after that no probe is begun; the longest takes 20 s itself, so whoever asks waits 40 s at most


def facts(base_url: Optional[str] = None, root: Path = ROOT, most_s: float = MOST_S) -> Dict[str, Any]:
    """Each probe is on its own: one that fails leaves its key None, and a word why in `not_seen`."""
    gpus = Gpus(root)
    probes: Dict[str, Callable[[], Any]] = {
        "instance": lambda: instance(Metadata(base_url), root),
        "system": lambda: system(root),
        "cpu": lambda: cpu(root),
        "memory_gib": lambda: memory_gib(root),
        "numa": lambda: numa(root),
        "gpus": gpus.gpus,
        "cuda": gpus.cuda,
        "gpu_links": gpus.links,
        "images": images,
        "python": platform.python_version,
    }
    found: Dict[str, Any] = {"schema": SCHEMA, "seen_at": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    not_seen: Dict[str, str] = {}
    until = time.monotonic() + most_s
    for key, probe in probes.items():
        try:
            if time.monotonic() >= until:
                raise NotSeen("no time was left for it")
            found[key] = probe()
        except NotSeen as why:
            found[key], not_seen[key] = None, str(why)
        except Exception as error:  # what nobody thought of must not cost a measurement
            found[key], not_seen[key] = None, type(error).__name__
    found["not_seen"] = not_seen
    return found


if __name__ == "__main__":
    json.dump(facts(), sys.stdout, indent=2)
    sys.stdout.write("\n")
