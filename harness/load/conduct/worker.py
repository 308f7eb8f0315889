"""One load process as its parent knows it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import BreakevenError, EndpointError, UsageError
from harness.load.ends import LineEnd, RemoteEnd
from harness.load.lines import Malformed
from harness.load.protocol import ClockFacts, Event, Failed, Live, Who, event_of
from harness.load.run_events import RemoteWorker

READ_BYTES = 65536
LOG_LINES_SHOWN = 15
_ERRORS = {1: EndpointError, 2: UsageError}


@dataclass(slots=True)
class Worker:
    """What a load process has said so far."""

    number: int
    end: LineEnd
    pending: bytes = b""
    live: Live | None = None  # its latest sample
    is_ready: bool = False
    is_idle: bool = False
    left: int | None = None  # requests that a hold waits for; None: it has not told
    is_done: bool = False
    is_over: bool = False  # its output has ended
    has_plan: bool = False
    heard_s: float | None = None  # when it last said something; None: it need not yet
    how: str | None = None  # it ended, where that is known
    who: Who | None = None  # of another machine
    clock: ClockFacts | None = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs on another machine."""
        return isinstance(self.end, RemoteEnd)

    def hear(self) -> Iterator[Event | Malformed]:
        """What it has said meanwhile; nothing, and `is_over`, where its lines have ended."""
        try:
            data = os.read(self.end.fileno(), READ_BYTES)
        except ConnectionResetError:  # the process that knows the workers elsewhere was killed
            data = b""
        self.is_over = not data
        *lines, self.pending = (self.pending + data).split(b"\n")
        for line in lines:
            try:
                yield event_of(line)
            except Malformed as error:
                yield error

    def as_remote(self) -> RemoteWorker:
        """As run.json keeps a process elsewhere."""
        if self.who is None:
            return RemoteWorker(self.number)
        who = self.who
        return RemoteWorker(self.number, who.host, who.cores, who.python, who.calibration, self.clock)


def died(how: str, log_path: Path) -> BreakevenError:
    """The error of a load process that ended without a word; `log_path`: what they all printed."""
    printed = log_path.read_text(errors="replace").splitlines() if log_path.exists() else []
    return BreakevenError(
        f"the load process died ({how})",
        detail="\n".join(printed[-LOG_LINES_SHOWN:]) or None,
        hint="the rows written so far are kept; `breakeven report RUN` reads them",
    )


def error_of(failed: Failed) -> BreakevenError:
    """The error that a load process ended with."""
    kind = _ERRORS.get(failed.exit_code, BreakevenError)
    return kind(failed.message, hint=failed.hint, detail=failed.detail)
