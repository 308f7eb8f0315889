"""The box itself: runs commands that come through its socket, ends all of them and itself when its time is over.

`python -m harness.rent.local.supervisor FOLDER EXPIRES_IN_S` prints its pid when it serves. It adopts what its commands
leave behind (a subreaper), so that nothing they started survives it. One JSON object a line: `{"argv", "env", "log",
"most_s"}` is answered with `{"code": N}` when the command has ended, `{"interrupt"}` when all have been asked to.
Whoever asked may go away: the command goes on, as on any box.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

SOCKET = "box.sock"
FILES = "files"  # what lies on the box's disk
KILL_AFTER_S = 20.0  # from the interrupt of a command that took too long
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_LOOK_S = 0.2


def main(folder: Path, expires_in_s: float) -> None:
    """Serve until the time is over or somebody ends it."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: _gone(folder))
    threading.Thread(target=_timer, args=(expires_in_s,), daemon=True).start()
    os.chdir(folder)  # a socket's path is short, a folder's need not be
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(SOCKET)
        server.listen()
        print(os.getpid(), flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, folder), daemon=True).start()


def _timer(expires_in_s: float) -> None:
    time.sleep(max(0.0, expires_in_s))
    os.kill(os.getpid(), signal.SIGTERM)


def _gone(folder: Path) -> None:
    """End everything that runs here, and the disk with it."""
    for _ in range(3):  # what is started while others are ended
        for process in psutil.Process().children(recursive=True):
            with _whoever_is_left():
                process.kill()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


class _whoever_is_left:  # noqa: N801 - reads as a phrase
    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return isinstance(error, psutil.Error)


_running: list[subprocess.Popen[bytes]] = []


def _serve(connection: socket.socket, folder: Path) -> None:
    with connection, connection.makefile("rwb") as line:
        asked = json.loads(line.readline())
        if "interrupt" in asked:
            code = max((_end(process) for process in list(_running)), default=0)
        else:
            code = _run(asked["argv"], asked["env"], folder / asked["log"], asked["most_s"], folder / FILES)
        try:
            line.write(json.dumps({"code": code}).encode() + b"\n")
            line.flush()
        except OSError:  # nobody is there any more
            return


def _run(argv: list[str], env: dict[str, str], log: Path, most_s: float, place: Path) -> int:
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv, env=env, cwd=place, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    _running.append(process)
    try:
        return process.wait(most_s)
    except subprocess.TimeoutExpired:
        return _end(process)
    finally:
        _running.remove(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Ask a command to end, a run keeps what it has; then kill it with all that it started."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(KILL_AFTER_S)
    except subprocess.TimeoutExpired:
        for child in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with _whoever_is_left():
                child.kill()
        return process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
