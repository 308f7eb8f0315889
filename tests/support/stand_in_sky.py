#!/usr/bin/env python3
"""A stand-in for SkyPilot's program: remembers clusters and calls in files; what it says is shaped as 0.14.1's is.

In the folder it stands in: `calls.jsonl`; `clusters/NAME`; `fails` (a launch fails with that text, and leaves its
cluster, as SkyPilot does), `hangs` (a launch never ends), `waits` (nor does it begin: the server has the request, and
comes to it after the next `status`, whether or not the client is still there). Before its JSON it says what 0.14.1 says
where it starts its server, colours and all.
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
    requests = PLACE / "requests"
    requests.mkdir(exist_ok=True)
    if words[0] == "launch" and (PLACE / "waits").exists():
        (requests / words[words.index("--cluster") + 1]).touch()
        time.sleep(600)
    elif words[:2] == ["api", "status"]:
        print(
            "\x1b[2mFailed to connect to SkyPilot API server at http://127.0.0.1:46580. Starting a local server.\x1b[0m"
        )
        others = [{"request_id": "status-refresh-daemon", "name": "sky.status-refresh", "cluster_name": None}]
        own = [{"request_id": one.name, "name": "sky.launch", "cluster_name": one.name} for one in requests.iterdir()]
        print(json.dumps([{**one, "status": "RUNNING", "pid": None} for one in others + own], indent=2))
    elif words[:2] == ["api", "cancel"]:
        for name in words[3:]:
            (requests / name).unlink()
    elif words[0] == "launch":
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
        print("\x1b[0m\x1b[32m✓ SkyPilot API server started. \x1b[0m\x1b[0m")
        for request in requests.iterdir():
            request.rename(clusters / request.name)
            (clusters / request.name).write_text("INIT")
        print(json.dumps([{**one, "autostop": 9, "to_down": True, "nodes": 1} for one in said], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
