"""Checks that run in a process apart: one that hangs or dies costs the answer that it was given, and that is said."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.base.children import PYTHON, python_environment
from harness.base.errors import BreakevenError
from harness.scenario.checkers import Checker
from harness.tasks.checks import Given, Outcome
from harness.tasks.protocol import LIMIT_S, READY, START_S

MOST_LOST = 50  # answers that hang or end the process; those behind them are not judged
_CHUNK_BYTES = 1 << 16
_ENDS_S = 5.0  # a process that has closed its results is gone soon after


@dataclass(frozen=True, slots=True)
class Item:
    """An answer for a checker; without one the checker is only made ready."""

    checker: Checker
    given: Given | None = None
    repair: bool = False  # the answer is mended first


def judged_apart(items: Sequence[Item], functions_from: Path | None) -> list[Outcome]:
    """What the checkers say, in order; functions are imported from `functions_from`, or from where it is installed."""
    outcomes: list[Outcome] = []
    lost = 0
    with tempfile.TemporaryFile() as file:
        places = _write(file, items)
        while len(outcomes) < len(items) and lost < MOST_LOST:
            begun = len(outcomes)
            with _child(file, begun, functions_from) as child:
                outcomes += child.outcomes(places[begun:])
                if len(outcomes) < len(items):
                    outcomes.append(Outcome(None, child.why_lost()))
                    lost += 1
    why = f"the checkers had hung or ended their process {MOST_LOST} times before"
    return outcomes + [Outcome(None, why)] * (len(items) - len(outcomes))


def _write(file: IO[bytes], items: Sequence[Item]) -> list[int]:
    """What the child reads; the number of each item's checker."""
    numbers: dict[str, int] = {}
    written: dict[int, int] = {}  # by identity: most tasks share one checker
    for item in items:
        if id(item.checker) not in written:
            written[id(item.checker)] = numbers.setdefault(item.checker.model_dump_json(), len(numbers))
    places = [written[id(item.checker)] for item in items]
    file.write(f"[{','.join(numbers)}]\n".encode())
    for item, place in zip(items, places, strict=True):
        given = item.given
        told = None if given is None else (given.text, given.expected, given.is_cut, given.task)
        file.write(json.dumps([place, told, item.repair]).encode() + b"\n")
    file.flush()
    return places


@contextlib.contextmanager
def _child(file: IO[bytes], skip: int, functions_from: Path | None) -> Iterator[_Child]:
    """A process that judges what is in the file but for the first `skip`; ended with all that it started."""
    file.seek(0)
    command = [*PYTHON, "-m", "harness.tasks.child", str(skip), str(functions_from.resolve()) if functions_from else ""]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=python_environment(),
            start_new_session=True,
        ) as process,
    ):
        child = _Child(process)
        try:
            if child.next_line(START_S) != READY:
                complaints.seek(0)
                said = complaints.read().decode(errors="replace")
                raise BreakevenError("the process that runs checkers did not come up", detail=said)
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


class _Child:
    """A judging process, and what it has said that nobody has read yet."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self._process = process
        self._source = process.stdout.fileno()
        self._lines: deque[bytes] = deque()
        self._rest = b""
        self._limit_s: float | None = None  # that has passed without a word

    def outcomes(self, places: Sequence[int]) -> Iterator[Outcome]:
        """As they come, until the process ends or an answer takes too long."""
        ready: set[int] = set()
        for place in places:
            said = self.next_line(LIMIT_S if place in ready else START_S)
            if said == READY:
                ready.add(place)
                said = self.next_line(LIMIT_S)
            if said is None:
                return
            yield Outcome(*said)

    def next_line(self, limit_s: float) -> Any:
        """What the process says next; None where it says nothing any more, or not in time."""
        while not self._lines:
            readable, _, _ = select.select([self._source], [], [], limit_s)
            if not readable:
                self._limit_s = limit_s
                return None
            chunk = os.read(self._source, _CHUNK_BYTES)
            if not chunk:
                return None
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(lines)
        return json.loads(self._lines.popleft())

    def why_lost(self) -> str:
        """Why there was no word on the last answer."""
        if self._limit_s is not None:
            return f"the checker took longer than {self._limit_s:g} s"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_S)
        code = self._process.returncode
        return (
            f"the checker ended its process ({f'signal {-code}' if code is not None and code < 0 else f'exit {code}'})"
        )
