"""The line to a box: everything the driver wants of it, over whatever runs a program there."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

from pydantic import JsonValue

from harness.base.yamlfile import Strict, validate
from harness.rent.box import Box, BoxLostError, RentError

ANSWER_S = 60.0  # for an answer; files have longer
FILE_S = 3600.0
ARCHIVE = "box.pyz"
_MAIN = "import sys\nfrom onbox.command import main\nsys.exit(main(sys.argv[1:]))\n"


@dataclass(frozen=True, slots=True)
class Shell:
    """How a program is run on a box: as it is (the box is here), or by a command that takes it as one line."""

    prefix: tuple[str, ...] = ()  # `ssh ... HOST`; empty: here
    python: str = "python3"  # 3.8 or newer

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` there."""
        return [*self.prefix, shlex.join(argv)] if self.prefix else list(argv)


SHELL_HERE = Shell(python=sys.executable)


class Notice(Strict):
    """The box will be taken away."""

    provider: str
    what: str
    at: str | None  # UTC

    @property
    def words(self) -> str:
        """`aws says: terminate at 2026-11-28T12:00:00+00:00`."""
        return f"{self.provider} says: {self.what}" + (f" at {self.at}" if self.at else "")


class JobState(Strict):
    """A command on a box."""

    code: int | None  # None: it runs
    why: str | None  # it was ended
    notice: Notice | None


class Line:
    """One box, by its shell and its folder there."""

    def __init__(self, shell: Shell, folder: str) -> None:
        self._shell, self._folder = shell, folder

    @property
    def is_here(self) -> bool:
        """Whether the box is this machine, with our own program on it."""
        return not self._shell.prefix

    def raise_agent(self, box: Box, *, switches_off: bool = False) -> None:
        """Send the agent and start it; from here on the box ends itself when its time is over.

        Raises:
            RentError: it does not come up.
        """
        tags = json.dumps(box.to_dict())
        archive = shlex.quote(f"{self._folder}/{ARCHIVE}")
        made = f"umask 077; mkdir -p {shlex.quote(self._folder)} && cat > {archive}"
        run_on(self._shell, ["sh", "-c", made], content=agent_archive(), most_s=FILE_S)
        self.put("tags.json", tags.encode())
        left_s = (datetime.fromisoformat(box.expires_at) - datetime.now(UTC)).total_seconds()
        self._ask(["serve", self._folder, f"{left_s:.3f}", *(["power-off"] if switches_off else [])])

    def put(self, name: str, content: bytes) -> None:
        """A file below the box's folder."""
        self._ask(["put", self._folder, name], content=content, most_s=FILE_S)

    def send(self, here: Path, name: str) -> None:
        """A file of ours among those that commands work on."""
        self.put(f"files/{name}", here.read_bytes())

    def start(self, job: str, argv: Sequence[str], env: Mapping[str, str], most_s: float) -> None:
        """Start a command; the same `job` again starts nothing. Variables travel inside, in no list of processes."""
        self._tell({"start": {"id": job, "argv": list(argv), "env": dict(env), "most_s": most_s}})

    def state(self, job: str) -> JobState:
        """Whether it still runs, and what it ended with."""
        return validate(JobState, self._tell({"state": job}), where="the box's answer")

    def interrupt(self, job: str) -> None:
        """Ask a command to end and keep what it has."""
        self._tell({"interrupt": job})

    def listing(self, name: str) -> dict[str, str]:
        """Every file of a folder of results, with its SHA-256."""
        said = self._ask(["list", self._folder, name], most_s=FILE_S)
        return {str(path): str(digest) for path, digest in dict(said).items()}

    def fetch(self, name: str, here: Path) -> None:
        """Copy a folder of results home."""
        with tempfile.TemporaryFile() as archive:
            run_on(self._shell, self._program(["pack", self._folder, name]), out=archive, most_s=FILE_S)
            archive.seek(0)
            here.mkdir(parents=True, exist_ok=True)
            try:
                with tarfile.open(fileobj=archive, mode="r|") as packed:
                    packed.extractall(here, filter="data")
            except tarfile.TarError as error:
                raise RentError(f"results came home broken: {error}") from None

    def tail(self, name: str) -> str:
        """The end of a log of the box."""
        return str(dict(self._ask(["tail", self._folder, name])).get("text", ""))

    def facts(self) -> JsonValue:
        """What machine it is, as it says."""
        said: JsonValue = self._ask(["facts"])
        return said

    def is_there(self) -> bool:
        """Whether the box still has its folder."""
        look = f"test -e {shlex.quote(self._folder)} && echo there || echo gone"
        return run_on(self._shell, ["sh", "-c", look]).strip() != b"gone"

    def end(self) -> None:
        """Kill everything of the box there and remove its folder; nothing to do where it is gone.

        Raises:
            RentError: something of it is still there.
        """
        if not self.is_there():
            return
        said = self._ask(["end", self._folder], most_s=3 * ANSWER_S)
        if said != {"gone": True}:
            raise RentError(f"something on the box could not be ended: {said}")

    def _tell(self, asked: Mapping[str, Any]) -> Any:
        said = self._ask(["ask", self._folder], content=json.dumps(asked).encode())
        if isinstance(said, dict) and "error" in said:
            raise RentError(f"the box refused: {said['error']}")
        return said

    def _program(self, words: Sequence[str]) -> list[str]:
        return [self._shell.python, "-I", f"{self._folder}/{ARCHIVE}", *words]

    def _ask(self, words: Sequence[str], *, content: bytes = b"", most_s: float = ANSWER_S) -> Any:
        said = run_on(self._shell, self._program(words), content=content, most_s=most_s)
        try:
            return json.loads(said)
        except ValueError:
            raise BoxLostError(f"the box does not answer: {said[:200].decode('utf-8', 'replace')!r}") from None


def run_on(
    shell: Shell, argv: Sequence[str], *, content: bytes = b"", out: IO[bytes] | None = None, most_s: float = ANSWER_S
) -> bytes:
    """Run a program there; what it says, unless that goes to `out`.

    Raises:
        BoxLostError: no answer in time, or it failed.
    """
    try:
        done = subprocess.run(
            shell.command(argv),
            input=content,
            stdout=out if out is not None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=most_s,
            check=False,
            start_new_session=True,  # Ctrl-C is ours to answer
        )
    except subprocess.TimeoutExpired:
        raise BoxLostError(f"the box does not answer within {most_s:.0f} s") from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise BoxLostError(f"the box does not answer: {words[-1][:300]}")
    return done.stdout or b""


@cache
def agent_archive() -> bytes:
    """The agent as one file that any Python from 3.8 on runs."""
    with tempfile.TemporaryFile() as place:
        with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__main__.py", _MAIN)
            for path in sorted((Path(__file__).parent / "onbox").glob("*.py")):
                archive.write(path, f"onbox/{path.name}")
        place.seek(0)
        return place.read()
