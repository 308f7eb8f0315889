"""Makes, reaches and ends boxes that are folders on this machine, remembered in the user's state directory."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from harness.base.children import PYTHON, python_environment
from harness.base.whole import written_whole
from harness.base.yamlfile import Strict, validate
from harness.engines.weights.cache import state_dir
from harness.rent.box import Box, BoxLostError, BoxSaid, RentError
from harness.rent.home import digests
from harness.rent.local.supervisor import FILES, KILL_AFTER_S, SOCKET

TAGS = "tags.json"
GONE_S = 10.0
MARK = "BREAKEVEN_BOX"  # in the environment of all that runs on a box


class _Tags(Strict):
    box: BoxSaid
    pid: int | None
    created_s: float | None  # of that process: a pid is used again


class LocalProvider:
    """Boxes of this machine; `place`: where they lie."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = place or state_dir("rent/local")

    def launch(self, box: Box) -> None:
        """Start its supervisor; the tags are written down first."""
        folder = self._folder(box)
        (folder / FILES).mkdir(parents=True)
        self._tag(box, None, None)
        left_s = (datetime.fromisoformat(box.expires_at) - datetime.now(UTC)).total_seconds()
        command = [*PYTHON, "-m", "harness.rent.local.supervisor", str(folder), f"{left_s:.3f}"]
        with (folder / "supervisor.log").open("wb") as log:
            starter = subprocess.Popen(  # no child of ours: whatever ends the driver does not end the box
                ["setsid", "--fork", *command],
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**python_environment(), MARK: box.id},
            )
        assert starter.stdout is not None
        with starter.stdout:
            said = starter.stdout.readline()
        starter.wait()
        if not said.strip():
            raise RentError(f"box {box.id} did not come up", detail=(folder / "supervisor.log").read_text()[-2000:])
        pid = int(said)
        self._tag(box, pid, psutil.Process(pid).create_time())

    def send(self, box: Box, here: Path, there: str) -> None:
        """Copy a file onto it."""
        target = self._files(box) / there
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(here, target)

    def run(self, box: Box, argv: Sequence[str], *, log: str, env: Mapping[str, str], most_s: float) -> int:
        """Run a command on it; its exit code."""
        asked = {"argv": list(argv), "env": {**env, MARK: box.id}, "log": log, "most_s": most_s}
        answer = self._ask(box, asked, most_s + 2 * KILL_AFTER_S)
        if not answer:
            raise BoxLostError(f"box {box.id} went away while it ran {argv[0]}")
        return int(json.loads(answer)["code"])

    def interrupt(self, box: Box) -> None:
        """Ask the command that runs on it to end now; returns when it has."""
        self._ask(box, {"interrupt": True}, 2 * KILL_AFTER_S)

    def _ask(self, box: Box, asked: Mapping[str, Any], most_s: float) -> bytes:
        try:
            with socket.socket(socket.AF_UNIX) as line, _opened(self._folder(box)) as folder:
                line.settimeout(most_s)
                line.connect(f"{folder}/{SOCKET}")
                line.sendall(json.dumps(asked).encode() + b"\n")
                with line.makefile("rb") as answers:
                    return answers.readline()
        except OSError as error:
            raise BoxLostError(f"box {box.id} does not answer: {error.strerror or error}") from None

    def listing(self, box: Box, there: str) -> dict[str, str]:
        """Every file in a folder of it, with its SHA-256."""
        return digests(self._files(box) / there)

    def fetch(self, box: Box, there: str, here: Path) -> None:
        """Copy a folder of it home."""
        shutil.copytree(self._files(box) / there, here, dirs_exist_ok=True)

    def terminate(self, box: Box) -> None:
        """End its supervisor, then whatever still carries its mark, then the folder."""
        supervisor = self._supervisor(box)
        if supervisor is not None:
            supervisor.send_signal(signal.SIGTERM)
            until = time.monotonic() + GONE_S
            while supervisor.is_running() and supervisor.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
                time.sleep(0.05)
        for process in _marked(box.id):
            process.kill()
        shutil.rmtree(self._folder(box), ignore_errors=True)

    def boxes(self) -> tuple[Box, ...]:
        """Every box whose folder or processes are still there."""
        found = []
        for tags in sorted(self._place.glob(f"*/{TAGS}")):
            data = json.loads(tags.read_text(encoding="utf-8"))
            found.append(validate(_Tags, data, where=str(tags)).box.box())
        return tuple(found)

    def _folder(self, box: Box) -> Path:
        return self._place / box.id

    def _files(self, box: Box) -> Path:
        files = self._folder(box) / FILES
        if not files.is_dir():
            raise BoxLostError(f"box {box.id} is gone")
        return files

    def _tag(self, box: Box, pid: int | None, created_s: float | None) -> None:
        tags = {"box": box.to_dict(), "pid": pid, "created_s": created_s}
        with written_whole(self._folder(box) / TAGS) as place:
            place.write_text(json.dumps(tags), encoding="utf-8")

    def _supervisor(self, box: Box) -> psutil.Process | None:
        path = self._folder(box) / TAGS
        if not path.is_file():
            return None
        tags = validate(_Tags, json.loads(path.read_text(encoding="utf-8")), where=str(path))
        try:
            process = psutil.Process(tags.pid)
            return process if tags.pid is not None and process.create_time() == tags.created_s else None
        except psutil.NoSuchProcess:
            return None


@contextmanager
def _opened(folder: Path) -> Iterator[str]:
    """A short path to a folder however long its own is: a socket's has at most 107 characters."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _marked(box_id: str) -> list[psutil.Process]:
    """Processes that a box left behind, whoever their parents are now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == box_id:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
