"""The parent's side of a load process: start it, hand its events on, stop it. Imports no Locust."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from harness.errors import BreakevenError, EndpointError, UsageError
from harness.load.plan import LoadPlan

LOG = "load.log"
LOG_LINES_SHOWN = 15
_ERRORS = {1: EndpointError, 2: UsageError}


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """How the load ended."""

    interrupted: bool  # Ctrl-C or SIGTERM: the rows so far are there
    prepared: Mapping[str, Any] | None  # what the endpoint said of itself


def drive(plan: LoadPlan, on_event: Callable[[dict[str, Any]], None]) -> LoadOutcome:
    """Run the load to its end and hand every event to `on_event`.

    The first Ctrl-C ends the load and keeps its rows, the second kills it.

    Raises:
        EndpointError, UsageError: what the load process said. BreakevenError: it died without a word.
    """
    log_path = Path(plan.run_dir) / LOG
    with log_path.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "harness.load.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal reaches us first, and alone
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        return _follow(child, plan, on_event, log_path)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        if log_path.exists() and log_path.stat().st_size == 0:
            log_path.unlink()


def _follow(
    child: subprocess.Popen[bytes], plan: LoadPlan, on_event: Callable[[dict[str, Any]], None], log_path: Path
) -> LoadOutcome:
    assert child.stdin is not None
    child.stdin.write(plan.to_line())
    child.stdin.flush()
    prepared: dict[str, Any] | None = None
    interrupted = ended = False
    while True:
        try:
            line = child.stdout.readline() if child.stdout is not None else b""
            if not line:
                break
            event = orjson.loads(line)
            if event["event"] == "error":
                raise _error(event)
            ended = ended or event["event"] == "done"
            if event["event"] == "prepared":
                prepared = event
            on_event(event)
        except KeyboardInterrupt:
            if interrupted:
                child.kill()
                break
            interrupted = True
            child.send_signal(signal.SIGTERM)
            on_event({"event": "doing", "text": "stopping; Ctrl-C again to drop what is under way"})
    if not ended and not interrupted:
        raise _died(child, log_path)
    return LoadOutcome(interrupted=interrupted, prepared=prepared)


def _error(event: Mapping[str, Any]) -> BreakevenError:
    kind = _ERRORS.get(event["exit_code"], BreakevenError)
    return kind(event["message"], hint=event.get("hint"), detail=event.get("detail"))


def _died(child: subprocess.Popen[bytes], log_path: Path) -> BreakevenError:
    code = child.wait()
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    tail = log_path.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:] if log_path.exists() else []
    return BreakevenError(
        f"the load process died ({how})",
        detail="\n".join(tail) or None,
        hint="the rows written so far are kept; `breakeven report RUN` reads them",
    )
