"""A client as it is watched: on a terminal, so that its live screen is drawn, and scraped each second.

python benchmarks/client/watched.py PORT COMMAND...
"""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import threading
import time
import urllib.request

COLUMNS, ROWS = "100", "40"


def main(port: str, *command: str) -> int:
    """The command's exit code; 1 where nobody could be scraped."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": COLUMNS, "LINES": ROWS, "TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    threading.Thread(target=_look, args=(ours,), daemon=True).start()
    scrapes = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1).read()
            scrapes += 1
        time.sleep(1)
    print(f"{scrapes} scrapes")
    return process.returncode if scrapes else 1


def _look(terminal: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
