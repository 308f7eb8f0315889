"""Boxes that are a folder and a group of processes on a machine that is there anyway: this one, or one over SSH."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.base.errors import UsageError
from harness.base.whole import written_whole
from harness.base.yamlfile import Strict, validate
from harness.engines.weights.cache import state_dir
from harness.rent.box import Box, BoxLostError, BoxSaid, NotLaunchedError, RentError
from harness.rent.line import SHELL_HERE, Line, Shell, run_on

SSH = (
    "ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=5",
    "-o", "ServerAliveCountMax=3", "-o", "LogLevel=ERROR",
)  # fmt: skip
BELOW = ".breakeven/boxes"  # of the home there
_TAGS = f"for tags in {BELOW}/*/tags.json; do test -f $tags && cat $tags && echo; done; true"


class _Remembered(Strict):
    """A box that was made, as it is written down here before it is."""

    box: BoxSaid
    host: str | None  # None: this machine


class HostProvider:
    """Boxes on one machine; `host` as ssh takes it, None: this one."""

    def __init__(self, host: str | None = None, *, switches_off: bool = False) -> None:
        self._host = host
        self._memory = state_dir("rent/boxes")
        self._shell = Shell((*SSH, "--", host)) if host else SHELL_HERE
        self.switches_off = switches_off

    def launch(self, box: Box) -> None:
        """See that the machine answers and that no other run measures on it; remember the box."""
        if self._host is None and sys.platform != "linux":
            raise NotLaunchedError("a box on this machine needs Linux", hint="--host, or a cloud as its provider")
        try:
            others = self._on_it() if self._host else ()
        except BoxLostError as error:
            raise NotLaunchedError(f"{self._host}: {error}") from None
        for other in others:
            raise NotLaunchedError(
                f"another run is on {self._host}, and two measure each other: {other.run_id}, until {other.expires_at}",
                hint=f"wait for it, or `breakeven rent reap --all --host {self._host}`",
            )
        said = {"box": box.to_dict(), "host": self._host}
        with written_whole(self._memory / f"{box.id}.json") as place:
            place.write_text(json.dumps(said), encoding="utf-8")

    def line(self, box: Box) -> Line:
        """How a box is reached."""
        below = BELOW if self._host else str(state_dir("rent/local"))
        return Line(self._shell, f"{below}/{box.id}")

    def terminate(self, box: Box) -> None:
        """End all that runs there, remove the folder, forget it."""
        self.line(box).end()
        (self._memory / f"{box.id}.json").unlink(missing_ok=True)

    def boxes(self) -> tuple[Box, ...]:
        """Those that the machine has, whoever made them, and the remembered ones of it that cannot be asked after."""
        found = {}
        for path, said in _remembered(self._memory):
            if said.host != self._host:
                continue
            try:
                is_there = self.line(said.box.box()).is_there()
            except BoxLostError:
                is_there = True
            if is_there:
                found[said.box.id] = said.box.box()
            else:
                path.unlink(missing_ok=True)
        if self._host and not found:
            found = {box.id: box for box in self._on_it()}
        return tuple(found.values())

    def _on_it(self) -> tuple[Box, ...]:
        """What the boxes of a machine elsewhere say of themselves."""
        said = run_on(self._shell, ["sh", "-c", _TAGS]).decode("utf-8", "replace")
        where = f"{self._host}:{BELOW}"
        return tuple(validate(BoxSaid, json.loads(line), where=where).box() for line in said.split("\n") if line)


def remembered_hosts() -> tuple[str | None, ...]:
    """Every machine that boxes were made on and not forgotten."""
    try:
        return tuple(dict.fromkeys(said.host for _, said in _remembered(state_dir("rent/boxes"))))
    except RentError:  # whoever asks after this machine's boxes is told
        return ()


def _remembered(memory: Path) -> list[tuple[Path, _Remembered]]:
    """What is written down here of boxes.

    Raises:
        RentError: a file that is none of ours: whose box it was nobody knows.
    """
    found = []
    for path in sorted(memory.glob("*.json")):
        try:
            found.append((path, validate(_Remembered, json.loads(path.read_text(encoding="utf-8")), where=str(path))))
        except (ValueError, UsageError):
            raise RentError(
                f"{path} does not say which box it is of", hint="look at its host, then remove it"
            ) from None
    return found
