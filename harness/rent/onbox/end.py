"""The end of a box: its farewells, everything that runs there, the folder, and the machine where that is to go too."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

MARK = "BREAKEVEN_BOX"  # in the environment of all that runs on a box, with its id
FAREWELL = "farewell.json"  # commands that end what is not a child of ours, as containers are
POWER_OFF = "power-off"  # a file of this name: the machine is switched off with the box
_FAREWELL_S = 60.0
_GONE_S = 10.0
_LOOK_S = 0.05


def timer(folder: Path, left_s: float) -> None:
    """Wait, then end the box; by the clock on the wall, which goes on while a machine sleeps."""
    until = time.time() + left_s
    while time.time() < until:
        time.sleep(min(1.0, max(0.01, until - time.time())))
        if not folder.exists():
            return
    end(folder)


def end(folder: Path) -> dict[str, bool]:
    """Kill everything of the box and remove its folder; again and again until nothing is left or 10 s are over."""
    if not folder.exists():
        return {"gone": not _marked(folder.name)}
    _say_farewell(folder)
    until = time.monotonic() + _GONE_S
    while _marked(folder.name) and time.monotonic() < until:
        marked = _marked(folder.name)
        for pid in [*marked, *below(marked)]:  # what hides its mark has a marked parent, or was adopted by the agent
            if pid != os.getpid():
                kill(pid)
        time.sleep(_LOOK_S)
    off = (folder / POWER_OFF).exists()
    shutil.rmtree(str(folder), ignore_errors=True)
    gone = not folder.exists() and not _marked(folder.name)
    if off:
        power_off("now")
    return {"gone": gone}


def power_off(when: str) -> None:
    """Have the machine switched off, `now` or in `+N` minutes."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*sudo, "shutdown", "-P", when]
    code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, timeout=_FAREWELL_S).returncode
    if code != 0:
        raise OSError(f"{' '.join(command)}: exit code {code}")


def kill(pid: int) -> None:
    """End a process, if it is there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def below(pids: list[int]) -> list[int]:
    """All that these processes started, and what that started."""
    parents: dict[int, list[int]] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            stat = (place / "stat").read_text(errors="replace")
        except OSError:  # gone meanwhile
            continue
        parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(place.name))
    found = list(pids)
    for one in found:
        found += [child for child in parents.get(one, ()) if child not in found]
    return found[len(pids) :]


def _say_farewell(folder: Path) -> None:
    place = folder / FAREWELL
    if not place.is_file():
        return
    for argv in json.loads(place.read_text(encoding="utf-8")):
        try:
            subprocess.run(argv, cwd=str(folder), stdin=subprocess.DEVNULL, timeout=_FAREWELL_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue


def _marked(box_id: str) -> list[int]:
    """Processes that carry the mark of a box, whoever their parents are by now; not this one."""
    wanted = f"{MARK}={box_id}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        if pid == os.getpid():
            continue
        try:
            if wanted in (place / "environ").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:  # gone meanwhile, or another user's
            continue
    return found
