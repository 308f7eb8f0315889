"""Wait until an engine serves, or say why it never will."""

from __future__ import annotations

import time
from pathlib import Path

from harness.engines.ask import ask
from harness.engines.kind import EngineKind, Progress
from harness.engines.process import Watched, log_tail
from harness.errors import EngineError

_POLL_S = 0.1
_SAY_EVERY_S = 1.0


def no_progress(_line: str) -> None:
    """Says nothing."""


def wait_until_ready(
    kind: EngineKind, base_url: str, process: Watched, loads: str, progress: Progress = no_progress
) -> None:
    """Ask `kind.ready_path` until it answers 200. `loads` is the model in words.

    Raises:
        EngineError: the engine ended, or took longer than `kind.ready_timeout_s`; `detail` has its log's end.
    """
    started = said = time.monotonic()
    while process.alive():
        if ask(base_url + kind.ready_path, timeout_s=1.0) is not None and process.alive():
            return
        now = time.monotonic()
        if now - started > kind.ready_timeout_s:
            took = f"did not answer within {kind.ready_timeout_s:.0f} s"
            raise _did_not_come_up(kind, took, loads, process.log_path)
        if now - said >= _SAY_EVERY_S:
            said = now
            progress(f"{kind.title} loads {loads}, {now - started:.0f} s")
        time.sleep(_POLL_S)
    raise _did_not_come_up(kind, f"ended with exit code {process.exit_code}", loads, process.log_path)


def _did_not_come_up(kind: EngineKind, how: str, loads: str, log_path: Path) -> EngineError:
    return EngineError(
        f"{kind.title} did not come up: it {how} while loading {loads}",
        detail=log_tail(log_path),
        hint=f"its whole log: {log_path}",
    )
