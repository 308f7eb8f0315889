"""Runs one command and never lets it outlive whoever asked for it. Standard library only; run as a script.

    python -I leash.py GRACE_S COMMAND...

The starter holds the write end of our standard input. When that closes (the starter let go, ended, or was
killed with -9), when our parent changes, or on SIGTERM, the command's whole process group gets SIGTERM and,
GRACE_S seconds later, SIGKILL. The command's output goes to our standard error; our standard output
carries one line, the command's process id. We end with the command's own exit code.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from types import FrameType

POLL_S = 0.25  # how late the end of the command, or of our parent, may be noticed
PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOT_STARTED = 127  # what a shell says for a command that is not there


def main(grace_s: float, command: list[str]) -> int:
    """Run `command` until it ends or nobody holds us any more; its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    starter = os.getppid()
    try:
        engine = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=2, start_new_session=True, preexec_fn=_die_with_parent
        )
    except (OSError, subprocess.SubprocessError) as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr)
        return NOT_STARTED
    try:
        print(engine.pid, flush=True)
        while engine.poll() is None and os.getppid() == starter:
            readable, _, _ = select.select([0], [], [], POLL_S)
            if readable and not os.read(0, 64):
                break
    except SystemExit:  # SIGTERM: end the command first, then say how it ended
        pass
    finally:
        stop_group(engine, grace_s)
    return engine.returncode


def stop_group(engine: subprocess.Popen[bytes], grace_s: float) -> None:
    """SIGTERM to the group, `grace_s` for its first process to end, then SIGKILL to all that is left."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if engine.poll() is None:
        _signal_group(engine.pid, signal.SIGTERM)
    give_up = time.monotonic() + grace_s
    while engine.poll() is None and time.monotonic() < give_up:
        time.sleep(0.02)
    _signal_group(engine.pid, signal.SIGKILL)
    engine.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(group, number)


def _die_with_parent() -> None:
    """For the case that the leash itself is killed with -9. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
