"""The process that runs what comes from the user: patterns, schemas, functions. Its parent ends it where it takes long.

Reads a file of JSON lines on stdin: the checkers, then `[checker, given or null, repair]` each; null only makes the
checker ready. Writes a line for each (`harness.tasks.protocol`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from harness.scenario.checkers import Checker
from harness.tasks.checks import Check, Given, Outcome, Unusable, ready_check
from harness.tasks.checks.function import said
from harness.tasks.protocol import LIMIT_S, READY, START_S

_ORPHAN_S = 5.0  # later it ends itself, should nobody be there to end it


def main() -> None:
    """Judge all that stands on stdin, but for the first `argv[1]`; functions are imported from the folder `argv[2]`."""
    skip, folder = int(sys.argv[1]), sys.argv[2]
    results = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)  # whatever a function prints is no result
    os.dup2(silence, 2)
    lines = sys.stdin.buffer
    checkers: list[Checker] = TypeAdapter(list[Checker]).validate_json(lines.readline())
    if folder:
        sys.path.insert(0, folder)
    for _ in range(skip):
        lines.readline()
    for said_now in _judge(checkers, map(json.loads, lines)):
        os.write(results, json.dumps(said_now).encode() + b"\n")


def _judge(checkers: list[Checker], items: Iterator[Any]) -> Iterator[Any]:
    yield READY
    ready: dict[int, Check | Outcome] = {}
    for number, given, repair in items:
        if number not in ready:
            _end_after(START_S)
            ready[number] = _ready(checkers[number])
            yield READY
        _end_after(LIMIT_S)
        check = ready[number]
        if isinstance(check, Outcome) or given is None:
            yield check if isinstance(check, Outcome) else Outcome(True)
        else:
            yield _checked(check, Given(*given), repair)
    _end_after(LIMIT_S)


def _ready(checker: Checker) -> Check | Outcome:
    try:
        return ready_check(checker)
    except Unusable as problem:
        return Outcome(None, str(problem))
    except Exception as error:
        return Outcome(None, f"the checker cannot be made ready: {said(error)}")


def _checked(check: Check, given: Given, repair: bool) -> Outcome:
    try:
        return _repaired(check, given) if repair else check(given)
    except BaseException as error:  # a function may raise anything, SystemExit too
        return Outcome(None, f"the checker raised {said(error)}")


def _repaired(check: Check, given: Given) -> Outcome:
    from harness.tasks.checks.repair import repaired  # only here: most runs repair nothing

    text = repaired(given.text)
    if text is None:
        return Outcome(False, "not JSON, and none could be found in it")
    return check(Given(text, given.expected, False, given.task))


def _end_after(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds + _ORPHAN_S)


if __name__ == "__main__":
    main()
