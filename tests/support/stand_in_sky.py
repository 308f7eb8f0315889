#!/usr/bin/env python3
"""A stand-in for SkyPilot's program: remembers clusters and calls in files; what it says is shaped as 0.14.1's is.

In the folder it stands in: `calls.jsonl`; `clusters/NAME`; `fails` (a launch fails with that text, and leaves its
cluster, as SkyPilot does), `hangs` (a launch never ends).
"""

import json
import sys
import time
from pathlib import Path

PLACE = Path(__file__).resolve().parent


def main(words: list[str]) -> int:
    with (PLACE / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    clusters = PLACE / "clusters"
    clusters.mkdir(exist_ok=True)
    if words[0] == "launch":
        (clusters / words[words.index("--cluster") + 1]).write_text("UP")
        if (PLACE / "hangs").exists():
            time.sleep(600)
        if (PLACE / "fails").exists():
            print((PLACE / "fails").read_text(), file=sys.stderr)
            return 1
    elif words[0] == "down":
        (clusters / words[-1]).unlink()
    else:
        said = [{"name": path.name, "status": path.read_text(), "region": None} for path in clusters.iterdir()]
        print(json.dumps([{**one, "autostop": 9, "to_down": True, "nodes": 1} for one in said], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
