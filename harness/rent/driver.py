"""From nothing to results at home and no box: launch, set up, measure, fetch, tear down, whatever happens."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.base.errors import EXIT_DO_NOT_TRUST, EXIT_DONE, EXIT_FAILED
from harness.base.units import SECONDS_PER_HOUR
from harness.rent.box import Box, BoxLostError, NotLaunchedError, Provider, RentError
from harness.rent.decided import decided_by
from harness.rent.home import Homeward, keep_runs
from harness.rent.job import Ended, Patience, run_job
from harness.rent.ledger import Book
from harness.rent.line import Line, Notice
from harness.rent.plan import SETUP_S, TEARDOWN_S, Cell, RentPlan, scenario_path, sent_with
from harness.rent.program import SCENARIO, Program
from harness.rent.undisturbed import undisturbed

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
    is_answered: bool  # it ended because the plan's question was
    is_gone: bool  # nothing is rented any more

    @property
    def exit_code(self) -> int:
        """0 answered and gone, 3 something is missing, 1 anything may still be rented."""
        if not self.is_gone:
            return EXIT_FAILED
        return EXIT_DO_NOT_TRUST if self.missing and not self.is_answered else EXIT_DONE


class _TakenAwayError(RentError):
    """The box is being taken away."""


class Rent:
    """One run of a plan on one box."""

    def __init__(self, plan: RentPlan, base_dir: Path, book: Book, provider: Provider, say: Say) -> None:
        self._plan, self._base_dir, self._book, self._provider, self._say = plan, base_dir, book, provider, say
        self._box: Box | None = None

    def go(self, cells: tuple[Cell, ...]) -> Outcome:
        """Measure what is not home yet. The box is gone when this returns or raises, or `is_gone` says it is not.

        Raises:
            RentError: nothing could be rented or set up. KeyboardInterrupt: after the box is gone.
        """
        self._end_what_is_left()
        todo = [cell for cell in cells if not self._book.is_home(cell)]
        why, answer = None, self._book.now.answered
        try:
            if todo and answer is None:
                why, answer = self._on_a_box(todo)
        except KeyboardInterrupt:
            why = "interrupted"
            raise
        except RentError as error:
            why = str(error)
            raise
        finally:
            is_gone = self._tear_down(why or answer)
        left = sum(not self._book.is_home(cell) for cell in cells)
        spent = self._book.now.spent_usd
        return Outcome(len(cells) - left, left, spent, why or answer, answer is not None, is_gone)

    def _on_a_box(self, todo: list[Cell]) -> tuple[str | None, str | None]:
        """Launch, set up, measure; why it ended before all was measured, and the answer that it ended with."""
        box = self._launch()
        self._book.note(phase="setup")
        line = self._provider.line(box)
        line.raise_agent(box, switches_off=self._provider.switches_off)
        try:
            program = Program(line, self._plan, self._run_setup)
            for engine in dict.fromkeys(cell.engine for cell in todo):
                self._say(f"setting up {engine}; {self._budget_words()}")
                program.install(engine)
            for number, cell in enumerate(todo, 1):
                left_s = self._left_s()
                if left_s < LEAST_S:
                    return f"the budget is reached: {self._budget_words()}", None
                self._say(f"[{number} of {len(todo)}] {cell.words}; {self._budget_words()}")
                answer = self._measure(line, program, cell, min(cell.most_s, left_s))
                if answer is not None and self._plan.until == "decided":
                    self._book.note(answered=answer)
                    return None, answer
        except _TakenAwayError as error:
            return str(error), None
        except BoxLostError as error:
            if self._book.now.phase == "setup":
                raise
            return str(error), None
        return None, None

    def _launch(self) -> Box:
        plan, now = self._plan, datetime.now(UTC)
        hourly = plan.hourly_usd()
        hours = min(plan.budget.hours, (plan.budget.usd - self._book.now.spent_usd) / hourly)
        if hours * SECONDS_PER_HOUR < LEAST_S:
            raise RentError(f"nothing is left of the budget: USD {self._book.now.spent_usd:.4f} are spent")
        expires = now + timedelta(hours=hours, seconds=TEARDOWN_S + SPARE_S)
        run_id = self._book.folder.name
        name = f"{run_id[:16]}-{secrets.token_hex(4)}"  # short enough for any cloud's tags and names
        box = Box(name, run_id, plan.provider, now.isoformat(), expires.isoformat(), hourly)
        self._book.note_box(box, "launch")  # before it is there: whoever finds it knows whose it is
        self._box = box
        self._say(f"launching {plan.instance} ({plan.provider}) at USD {hourly:g}/h, gone by {expires:%H:%M:%S} UTC")
        try:
            self._provider.launch(box)
        except NotLaunchedError:
            self._box = None
            raise
        return box

    def _run_setup(self, line: Line, name: str, argv: list[str], env: dict[str, str]) -> None:
        """One command of the setup.

        Raises:
            RentError: it failed; with the end of its log.
        """
        most_s = min(SETUP_S, max(LEAST_S, self._left_s()))
        state = run_job(line, argv, env, name=name, most_s=most_s, patience=self._patience())
        self._heed(state.notice)
        if state.code != 0:
            raise RentError(f"{name} failed on the box: {state.words}", detail=state.log)

    def _measure(self, line: Line, program: Program, cell: Cell, most_s: float) -> str | None:
        """One measurement, and what it left brought home, also where it failed half way; the answer it gave, if any."""
        self._book.note(phase="measure")
        there = f"{RESULTS}/{cell.id}"
        homeward = Homeward(line, there, self._book.folder, cell.id)
        scenario = scenario_path(cell.scenario, self._base_dir)
        for name, path in sent_with(scenario).items():
            line.send(path, f"{cell.id}/{name}")
        line.send(scenario, f"{cell.id}/{SCENARIO}")
        argv, env = program.measure(cell, there)
        try:
            program.begin(cell)
            state = run_job(
                line, argv, env, name=cell.id, most_s=most_s, patience=self._patience(), copy=homeward.copy_so_far
            )
            self._book.note(phase="fetch")
            runs = homeward.bring(until_s=time.time() + max(LEAST_S, self._left_s()), patience=self._patience())
        except KeyboardInterrupt:
            with undisturbed():
                self._keep_part(homeward, cell, "interrupted")
            raise
        except (BoxLostError, _TakenAwayError) as error:
            self._keep_part(homeward, cell, str(error))
            raise
        except RentError as error:  # of this measurement: the next one may do better
            self._keep_part(homeward, cell, str(error))
            self._book.keep_log(cell.id, error.detail or str(error))
            self._say(f"{cell.words}: {error}")
            return None
        finally:
            self._finish(program, cell)
        return self._note_measured(cell, state, keep_runs(runs, self._book))

    def _finish(self, program: Program, cell: Cell) -> None:
        try:
            program.finish(cell)
        except RentError as error:  # whatever ends the box ends them
            self._say(f"{cell.words}: its containers are not down: {error}")

    def _note_measured(self, cell: Cell, state: Ended, runs: list[Path]) -> str | None:
        kept = runs[-1].name if runs else None
        if state.code in _MEASURED and kept and state.why is None:
            self._book.note_cell(cell, "measured", run=kept)
            self._heed(state.notice)
            return decided_by(runs[-1]) if self._plan.demand and self._plan.apis else None
        why = state.notice.words if state.notice else state.words
        self._book.note_cell(cell, "failed", run=kept, why=why)
        self._book.keep_log(cell.id, state.log)
        self._say(f"{cell.words}: {why}; what it measured is {'kept' if kept else 'nothing'}")
        self._heed(state.notice)
        return None

    def _keep_part(self, homeward: Homeward, cell: Cell, why: str) -> None:
        """What a measurement that was broken off has left: as it is there now, else as it was copied last."""
        try:
            runs = homeward.bring(until_s=time.time() + LEAST_S, patience=self._patience())
        except RentError as error:
            self._say(f"{error}; what was copied before is kept")
            runs = homeward.copied()
        kept = keep_runs(runs, self._book)
        self._book.note_cell(cell, "failed", run=kept[-1].name if kept else None, why=why)

    def _heed(self, notice: Notice | None) -> None:
        if notice is not None:
            raise _TakenAwayError(f"the box is taken away: {notice.words}")

    def _patience(self) -> Patience:
        def is_gone() -> bool:
            try:
                return self._box is None or not _is_there(self._provider, self._box)
            except RentError:  # who cannot be asked has not said so: a cloud is away with the network
                return False

        return Patience(self._left_s, is_gone, self._say, self._tell)

    def _tell(self, last: str) -> None:
        self._say(f"  {last[:200] or 'it runs'}; {self._budget_words()}")

    def _tear_down(self, why: str | None) -> bool:
        """End the box and look that it is gone; what it cost is written down."""
        if self._box is None:
            self._book.note(phase="gone", why_ended=why)
            return True
        box = self._box
        self._book.note(phase="teardown")
        self._say(f"tearing down; {self._budget_words()}")
        with undisturbed():
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
        if _is_there(self._provider, box):
            self._say(f"ending box {box.id}, which an earlier try left behind")
            if not end_box(self._provider, box, self._say):
                raise RentError(f"box {box.id} of an earlier try is still there", hint="`breakeven rent reap`")
        until = min(datetime.now(UTC), datetime.fromisoformat(box.expires_at))
        self._book.note(phase="gone", spent_usd=self._book.now.spent_usd + box.spent_usd(until))

    def _left_s(self) -> float:
        """Seconds that the budget still lets it measure; by the wall clock: a box goes on while a lid is shut."""
        budget, box = self._plan.budget, self._box
        on_this_s = 0.0 if box is None else box.age_s()
        by_money = (budget.usd - self._book.now.spent_usd) / self._plan.hourly_usd() * SECONDS_PER_HOUR
        return min(budget.hours * SECONDS_PER_HOUR, by_money) - on_this_s

    def _budget_words(self) -> str:
        spent = self._book.now.spent_usd + (self._box.spent_usd() if self._box is not None else 0.0)
        return f"USD {spent:.4f} of {self._plan.budget.usd:g} spent"


def _is_there(provider: Provider, box: Box) -> bool:
    return box.id in {one.id for one in provider.boxes()}


def end_box(provider: Provider, box: Box, say: Say) -> bool:
    """Terminate it, at most three times; whether it is gone."""
    for _ in range(3):
        try:
            provider.terminate(box)
            if not _is_there(provider, box):
                return True
        except (RentError, OSError) as error:
            say(f"box {box.id} is not gone: {error}")
            time.sleep(0.5)
    return False
