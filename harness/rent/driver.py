"""From nothing to results at home and no box: launch, set up, measure, fetch, tear down, whatever happens."""

import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.base.children import python_environment
from harness.base.errors import EXIT_DO_NOT_TRUST, EXIT_DONE
from harness.base.units import SECONDS_PER_HOUR
from harness.rent.box import Box, BoxLostError, Provider, RentError
from harness.rent.home import bring_home
from harness.rent.ledger import Book
from harness.rent.plan import SETUP_S, TEARDOWN_S, Cell, RentPlan, scenario_path

SPARE_S = 60.0  # the box outlives the budget by this much and the teardown, then ends itself
LEAST_S = 5.0  # of a measurement: with less left nothing is begun
RESULTS = "results"
_MEASURED = (EXIT_DONE, EXIT_DO_NOT_TRUST)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rented run came to."""

    measured: int
    missing: int
    spent_usd: float
    why_ended: str | None  # before everything was measured
    is_gone: bool  # nothing is rented any more


class Rent:
    """One run of a plan on one box."""

    def __init__(self, plan: RentPlan, base_dir: Path, book: Book, provider: Provider, say: Say) -> None:
        self._plan, self._base_dir, self._book, self._provider, self._say = plan, base_dir, book, provider, say
        self._began_s = time.monotonic()
        self._box: Box | None = None

    def go(self, cells: tuple[Cell, ...]) -> Outcome:
        """Measure what is not home yet. The box is gone when this returns or raises, or `is_gone` says it is not.

        Raises:
            RentError: nothing could be rented or set up. KeyboardInterrupt: after the box is gone.
        """
        self._end_what_is_left()
        todo = [cell for cell in cells if not self._book.is_home(cell)]
        why = None
        try:
            if todo:
                why = self._on_a_box(todo)
        except KeyboardInterrupt:
            why = "interrupted"
            raise
        except RentError as error:
            why = str(error)
            raise
        finally:
            is_gone = self._tear_down(why)
        left = sum(not self._book.is_home(cell) for cell in cells)
        return Outcome(len(cells) - left, left, self._book.now.spent_usd, why, is_gone)

    def _on_a_box(self, todo: list[Cell]) -> str | None:
        """Launch, set up, measure; why it ended before all was measured."""
        box = self._launch()
        self._book.note(phase="setup")
        for engine in dict.fromkeys(cell.engine for cell in todo):
            self._set_up(box, engine)
        for number, cell in enumerate(todo, 1):
            left_s = self._left_s()
            if left_s < LEAST_S:
                return f"the budget is reached: {self._budget_words()}"
            self._say(f"[{number} of {len(todo)}] {cell.words}; {self._budget_words()}")
            self._book.note(phase="measure")
            self._measure(box, cell, min(cell.most_s, left_s))
        return None

    def _launch(self) -> Box:
        plan, now = self._plan, datetime.now(UTC)
        hourly = plan.hourly_usd()
        hours = min(plan.budget.hours, (plan.budget.usd - self._book.now.spent_usd) / hourly)
        if hours * SECONDS_PER_HOUR < LEAST_S:
            raise RentError(f"nothing is left of the budget: USD {self._book.now.spent_usd:.4f} are spent")
        expires = now + timedelta(hours=hours, seconds=TEARDOWN_S + SPARE_S)
        run_id = self._book.folder.name
        name = f"{run_id[:40]}-{secrets.token_hex(4)}"
        box = Box(name, run_id, plan.provider, now.isoformat(), expires.isoformat(), hourly)
        self._book.note_box(box, "launch")  # before it is there: whoever finds it knows whose it is
        self._box, self._began_s = box, time.monotonic()
        self._say(f"launching {plan.instance} ({plan.provider}) at USD {hourly:g}/h, gone by {expires:%H:%M:%S} UTC")
        self._provider.launch(box)
        return box

    def _set_up(self, box: Box, engine: str) -> None:
        self._say(f"setting up {engine}; {self._budget_words()}")
        command = [sys.executable, "-P", "-m", "harness", "engine", "install", engine]
        most_s = min(SETUP_S, max(LEAST_S, self._left_s()))
        code = self._provider.run(box, command, log=f"setup-{engine}.log", env=self._environment(), most_s=most_s)
        if code != 0:
            raise RentError(f"{engine} could not be installed on the box: exit code {code}")

    def _measure(self, box: Box, cell: Cell, most_s: float) -> None:
        """One measurement, and what it left brought home, also where it failed half way."""
        there = f"{RESULTS}/{cell.id}"
        scenario = scenario_path(cell.scenario, self._base_dir)
        self._provider.send(box, scenario, f"{cell.id}.yaml")
        plan = self._plan
        command = [sys.executable, "-P", "-m", "harness", "run", f"{cell.id}.yaml", "--engine", cell.engine]
        command += ["--instance", plan.instance, "--purchase", plan.purchase, "--out", there]
        command += ["--model", cell.model] if cell.model else []
        command += ["--usd-per-hour", f"{plan.usd_per_hour:g}"] if plan.usd_per_hour else []
        command += [word for api in plan.apis for word in ("--api", api)]
        command += ["--demand", plan.demand] if plan.demand else []
        try:
            code = self._provider.run(box, command, log=f"{cell.id}.log", env=self._environment(), most_s=most_s)
        except KeyboardInterrupt:
            with _undisturbed():
                self._provider.interrupt(box)
                self._keep_part(box, there, cell, "interrupted")
            raise
        self._book.note(phase="fetch")
        runs = self._home(box, there, cell)
        if code in _MEASURED and runs:
            self._book.note_cell(cell, "measured", run=runs[-1].name)
            return
        kept = runs[-1].name if runs else None
        self._book.note_cell(cell, "failed", run=kept, why=f"exit code {code}")
        self._say(f"{cell.words}: ended with {code}; what it measured is {'kept' if kept else 'nothing'}")

    def _keep_part(self, box: Box, there: str, cell: Cell, why: str) -> None:
        """What a measurement that was broken off has left, if it can be had."""
        try:
            runs = self._home(box, there, cell)
        except RentError as error:
            self._say(str(error))
            runs = []
        self._book.note_cell(cell, "failed", run=runs[-1].name if runs else None, why=why)

    def _home(self, box: Box, there: str, cell: Cell) -> list[Path]:
        """The runs that a measurement left, beside rent.json; checked, and checked again at the next one."""
        if not self._provider.listing(box, there):
            return []
        until_s = time.monotonic() + max(LEAST_S, self._left_s())
        place = self._book.folder / f".{cell.id}"
        found = bring_home(self._provider, box, there, place, until_s=until_s, say=self._say)
        runs = [run.rename(self._book.folder / run.name) for run in found]
        place.rmdir()
        return runs

    def _tear_down(self, why: str | None) -> bool:
        """End the box and look that it is gone; what it cost is written down."""
        if self._box is None:
            self._book.note(phase="gone", why_ended=why)
            return True
        box = self._box
        self._book.note(phase="teardown")
        self._say(f"tearing down; {self._budget_words()}")
        with _undisturbed():
            is_gone = end_box(self._provider, box, self._say)
        spent = self._book.now.spent_usd + box.spent_usd()
        self._box = None
        self._book.note(phase="gone" if is_gone else "teardown", spent_usd=spent, why_ended=why)
        return is_gone

    def _end_what_is_left(self) -> None:
        """A box that an earlier driver of this run has left behind."""
        left = self._book.now.box
        if left is None or self._book.now.phase == "gone":
            return
        box = left.box()
        if box.id in {one.id for one in self._provider.boxes()}:
            self._say(f"ending box {box.id}, which an earlier try left behind")
            if not end_box(self._provider, box, self._say):
                raise RentError(f"box {box.id} of an earlier try is still there", hint="`breakeven rent reap`")
        until = min(datetime.now(UTC), datetime.fromisoformat(box.expires_at))
        self._book.note(phase="gone", spent_usd=self._book.now.spent_usd + box.spent_usd(until))

    def _left_s(self) -> float:
        """Seconds that the budget still lets it measure, the teardown kept apart."""
        budget, on_this_s = self._plan.budget, time.monotonic() - self._began_s
        by_money = (budget.usd - self._book.now.spent_usd) / self._plan.hourly_usd() * SECONDS_PER_HOUR
        return min(budget.hours * SECONDS_PER_HOUR, by_money) - on_this_s

    def _budget_words(self) -> str:
        spent = self._book.now.spent_usd + (self._box.spent_usd() if self._box is not None else 0.0)
        return f"USD {spent:.4f} of {self._plan.budget.usd:g} spent"

    def _environment(self) -> Mapping[str, str]:
        """What the box's commands get from here: the variables that the plan names, and no other."""
        return python_environment(self._plan.env)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Nobody's second Ctrl-C leaves a box behind."""
    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(name, signal.SIG_IGN) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


def end_box(provider: Provider, box: Box, say: Say) -> bool:
    """Terminate it, at most three times; whether it is gone."""
    for _ in range(3):
        try:
            provider.terminate(box)
            if box.id not in {one.id for one in provider.boxes()}:
                return True
        except (RentError, OSError) as error:
            say(f"box {box.id} is not gone: {error}")
            time.sleep(0.5)
    return False


def reap(provider: Provider, *, everything: bool, say: Say) -> tuple[list[Box], list[Box]]:
    """End every box that is past its expiry (`everything`: all of them); those that are gone, those that remain."""
    gone, remaining = [], []
    for box in provider.boxes():
        if (everything or box.is_expired()) and end_box(provider, box, say):
            gone.append(box)
        elif everything or box.is_expired():
            remaining.append(box)
    return gone, remaining


__all__ = ["BoxLostError", "Outcome", "Rent", "end_box", "reap"]
