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
LOOK_S, LOOK_MOST_S = 0.5, 5.0  # between two looks: seldom at what takes long, a look costs the box something
COPY_EVERY_S = 30.0  # what there is so far: a box that is taken away loses little more than this
COPY_SHARE = 20  # a copy that took long is not made again before this many times as long: it must not be measured
ENDS_S = 60.0  # of a command that was interrupted: 20 to end by itself, then it is killed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a box that does not answer is waited for."""

    left_s: Callable[[], float]  # of the budget
    is_gone: Callable[[], bool]  # nobody will answer any more
    say: Callable[[str], None]
    told: Callable[[str], None]  # the last line of what runs on the box, now and then


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command came to."""

    code: int
    why: str | None  # it was ended
    notice: Notice | None
    log: str  # the end of what it said

    @property
    def words(self) -> str:
        """Why it was ended, or its exit code and its own last word."""
        if self.why is not None:
            return self.why
        lines = [line for line in self.log.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error: ")]
        return ": ".join([f"exit code {self.code}", *[line.strip()[:300] for line in (errors or lines)[-1:]]])


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
        began_s = time.monotonic()
        next_copy_s = began_s + COPY_EVERY_S
        while True:
            state = _insist(lambda: line.state(job), patience)
            if state.code is not None:
                return Ended(state.code, state.why, state.notice, _log(line, job))
            if time.monotonic() > next_copy_s:
                copy_began_s = time.monotonic()
                patience.told(_last_line(_log(line, job)))
                try:
                    copy()
                except (RentError, OSError) as error:  # the whole of it comes home at the end
                    patience.say(f"not copied so far: {error}")
                took_s = time.monotonic() - copy_began_s
                next_copy_s = time.monotonic() + max(COPY_EVERY_S, COPY_SHARE * took_s)
            time.sleep(min(LOOK_MOST_S, max(LOOK_S, 0.02 * (time.monotonic() - began_s))))
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


def _last_line(text: str) -> str:
    """The last one that says something."""
    return next((one.strip() for one in reversed(text.splitlines()) if one.strip()), "")


def _log(line: Line, job: str) -> str:
    try:
        return line.tail(f"logs/{job}.log")
    except RentError as error:
        return str(error)
