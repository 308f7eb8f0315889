"""A command on a box, followed until it has ended: through a network that goes away, a lid that is closed, Ctrl-C."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.rent.box import BoxLostError, RentError
from harness.rent.line import Line, Notice
from harness.rent.undisturbed import undisturbed

T = TypeVar("T")
LOOK_S = 0.5
COPY_EVERY_S = 30.0  # what there is so far: a box that is taken away loses little more than this
COPY_SHARE = 20  # a copy that took long is not made again before this many times as long: it must not be measured
ENDS_S = 60.0  # of a command that was interrupted: 20 to end by itself, then it is killed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a box that does not answer is waited for."""

    left_s: Callable[[], float]  # of the budget
    is_gone: Callable[[], bool]  # nobody will answer any more
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    code: int
    why: str | None  # it was ended
    notice: Notice | None
    log: str  # the end of what it said


def run_job(
    line: Line,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    name: str,
    most_s: float,
    patience: Patience,
    copy: Callable[[], None] = lambda: None,
) -> Ended:
    """Run a command on a box to its end; longer than `most_s` it is interrupted. `copy` is called now and then.

    Raises:
        BoxLostError: the box is gone, or does not answer until the budget ends. KeyboardInterrupt: after the command
            has been interrupted and has ended.
    """
    job = f"{name}-{secrets.token_hex(3)}"
    try:
        _insist(lambda: line.start(job, argv, env, most_s), patience)
        next_copy_s = time.monotonic() + COPY_EVERY_S
        while True:
            state = _insist(lambda: line.state(job), patience)
            if state.code is not None:
                return Ended(state.code, state.why, state.notice, _log(line, job))
            if time.monotonic() > next_copy_s:
                began_s = time.monotonic()
                _insist(copy, patience)
                took_s = time.monotonic() - began_s
                next_copy_s = time.monotonic() + max(COPY_EVERY_S, COPY_SHARE * took_s)
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        with undisturbed():
            _interrupt(line, job, patience)
        raise


def _interrupt(line: Line, job: str, patience: Patience) -> None:
    """Ask it to end and wait for that."""
    until_s = time.monotonic() + ENDS_S
    try:
        line.interrupt(job)
        while line.state(job).code is None and time.monotonic() < until_s:
            time.sleep(LOOK_S)
    except BoxLostError as error:
        patience.say(str(error))


def _insist(what: Callable[[], T], patience: Patience) -> T:
    """Do it, again and again while the box may come back."""
    fails = 0
    while True:
        try:
            done = what()
        except BoxLostError as error:
            fails += 1
            if patience.left_s() <= 0 or ((fails in (1, 10) or fails % 60 == 0) and patience.is_gone()):
                raise
            if fails == 1:
                patience.say(f"{error}; what runs on it goes on, trying again")
            time.sleep(min(5.0, LOOK_S * fails))
        else:
            if fails:
                patience.say("the box answers again")
            return done


def _log(line: Line, job: str) -> str:
    try:
        return line.tail(f"logs/{job}.log")
    except RentError as error:
        return str(error)
