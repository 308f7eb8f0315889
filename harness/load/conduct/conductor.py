"""Runs load steps on the processes, each entered, warmed up, counted and held. Imports no Locust."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import BreakevenError
from harness.load.conduct.crew import Crew
from harness.load.conduct.rounds import RoundWatch
from harness.load.conduct.standing import Standing
from harness.load.protocol import CutStep, Drop, Finish, Rest, RunSteps
from harness.load.run_events import StepBegun, Waits
from harness.rundir.files import STEPS
from harness.scenario import RampLoad, Scenario, TraceLoad
from harness.scenario.steps import Step

START_S = 0.05  # from telling the processes to the common start instant
PILOT_S = 0.25  # whatever the first user asks in it is waited for
PILOT_SHARE = 1 / 8  # of a step, that the first user is alone for at most
ENTER_SHARE = 1 / 4  # of a step, that users begin one by one in at most
DRAIN_S = 30.0  # what is under way after a step that was lost gets min(timeout_s, this) to end at no load
CUT_S = 10.0  # for the processes to write down what was cut
LOOK_S = 1.0  # at how a hold stands
GRACE_S = 1.0  # for the news of the last time-out
INSTANT_S = 1e-6  # a window holds its last task

IsLost = Callable[[Standing], bool]


def never(_: Standing) -> bool:
    """A step that runs to its end, whatever comes of it."""
    return False


class Conductor:
    """Tells the processes their steps and writes down when each phase really was (steps.jsonl)."""

    def __init__(self, crew: Crew, scenario: Scenario) -> None:
        self.standing = Standing(crew, scenario)
        self._crew = crew
        self._scenario = scenario
        self._path = Path(crew.plan.run_dir) / STEPS
        self._row: dict[str, Any] = {}  # facts of the step that is on, or was
        self._users = 0  # who are under way
        self._last_request_s: float | None = None  # a request's time at the last load
        self._is_on = False

    @property
    def request_s(self) -> float | None:
        """A request's time at the last load; before the first, as one that was sent beforehand took."""
        return self._crew.request_s if self._last_request_s is None else self._last_request_s

    def run(self, steps: list[Step]) -> None:
        """Run planned steps; the slices of a ramp and of a log go one into the other and are held at their end."""
        whole = isinstance(self._scenario.load, RampLoad | TraceLoad)
        for group in [steps] if whole else [[step] for step in steps]:
            self.run_steps(group)
            if self._crew.is_over:
                return
        self._crew.tell(Finish())

    def run_steps(self, steps: Sequence[Step], is_lost: IsLost = never) -> dict[str, Any]:
        """Run steps that go one into the other, and hold the last one's load; the last one's facts.

        `is_lost` says when the step that is on need not go on: it is cut. A log has no load to hold: what is
        under way at its end is waited for.
        """
        crew = self._crew
        first, start_s = self._told(steps)
        for step in [first, *steps[1:]]:
            self._begin(step, start_s)
            start_s += step.length_s
            crew.wait(start_s, until=lambda: is_lost(self.standing))
            was_cut = crew.now_s() < start_s and not crew.is_over
            self.end_step(min(start_s, crew.now_s()))
            if crew.is_over or was_cut:
                break
        if not crew.is_over:
            self._after(was_cut=was_cut)
        return self._row

    def run_round(self, step: Step, watch: RoundWatch) -> None:
        """Run a round of tasks: its window ends when the last of them was sent, its load when the last has ended. When
        its time is over no further one is asked, and those under way may end.
        """
        crew = self._crew
        first, start_s = self._told([step])
        end_s = start_s + first.length_s
        self._begin(first, start_s)
        crew.wait(end_s, until=watch.is_over)
        if not watch.is_over():
            crew.wait(end_s + self._scenario.request.timeout_s + GRACE_S, until=lambda: crew.workers.are_held)
            watch.is_over()
        last_s = watch.last_sent_s
        end_s = min(end_s, crew.now_s()) if last_s is None or watch.not_asked else last_s + INSTANT_S
        self.end_step(end_s)
        self._note(held_s=crew.now_s(), not_asked=watch.not_asked)
        if not crew.is_over:
            crew.tell(CutStep())
            self._drain(CUT_S)
            crew.tell(Finish())
        if crew.latest is not None and crew.latest.e2e_p50_s is not None:
            self._last_request_s = crew.latest.e2e_p50_s

    def _told(self, steps: Sequence[Step]) -> tuple[Step, float]:
        """Order steps; the first of them, with how its users begin, and its start."""
        first = self._entered(steps[0])
        start_s = self._crew.now_s() + START_S + self._crew.lead_s
        first = self._trimmed(first, start_s)
        self._crew.tell(RunSteps([first, *steps[1:]], start_s))
        return first, start_s

    def _entered(self, step: Step) -> Step:
        """The step with how its users begin. Who are new begin over the time of one request; where nobody knows that
        time yet, the first user finds out alone.
        """
        if step.users is None or isinstance(self._scenario.load, RampLoad):
            return step
        users = step.users[1]
        alone_s = START_S + self._crew.lead_s  # at least, in a pilot
        if users > 1 and self.request_s is None and alone_s < step.length_s * PILOT_SHARE:
            self._pilot(step)
        enter_s = 0.0
        if self.request_s is not None:
            enter_s = min(self.request_s + self._scenario.think_time_s, step.length_s * ENTER_SHARE)
        carried, self._users = min(self._users, users), users
        return replace(step, carried=carried, enter_s=enter_s if users > carried else 0.0)

    def _pilot(self, step: Step) -> None:
        assert step.users is not None
        crew = self._crew
        start_s = crew.now_s() + START_S + crew.lead_s
        self._open(step, start_s)
        cap_s = step.length_s * PILOT_SHARE
        alone = replace(step, users=(1, 1), cohort=step.users[1], length_s=min(PILOT_S, cap_s), warmup_s=0.0)
        crew.tell(RunSteps([alone], start_s))
        crew.wait(start_s + cap_s, until=lambda: crew.workers.are_held)
        self._last_request_s = min(max(crew.now_s() - start_s, 0.0), cap_s)
        self._users = 1

    def _trimmed(self, step: Step, start_s: float) -> Step:
        """The step without what of its time is over; the window begins when the users are there."""
        spent_s = start_s - self._row["start_s"] if self._is_on else 0.0
        warmup_s = max(step.warmup_s - spent_s, step.enter_s, 0.0)
        return replace(step, length_s=step.length_s - spent_s, warmup_s=warmup_s)

    def _begin(self, step: Step, start_s: float) -> None:
        if not self._is_on:
            self._open(step, start_s)
        window_start_s = start_s + step.warmup_s
        self._note(window_start_s=window_start_s, entered_s=start_s + step.enter_s if step.enter_s else None)
        self.standing.begin(step, window_start_s, start_s + step.length_s)

    def _open(self, step: Step, start_s: float) -> None:
        self._row, self._is_on = {}, True
        self._note(step=step.step, load=step.load, start_s=start_s, window_start_s=start_s + step.warmup_s, end_s=None)
        of_round = self._crew.plan.round
        if of_round is not None:
            self._note(round=of_round.number, role=of_round.role)
        self._crew.on_event(StepBegun(step.step, step.load, start_s, start_s + step.length_s))

    def end_step(self, end_s: float | None = None) -> None:
        """Write down that the window of the step that is on ended (none: now)."""
        if self._is_on:
            self._is_on = False
            self.standing.is_window_over = True
            self._note(end_s=self._crew.now_s() if end_s is None else end_s)

    def _after(self, *, was_cut: bool) -> None:
        """Hold the load, or end it: what was cut or lost must not be under way in the next step."""
        crew = self._crew
        if was_cut:
            self._note(**{"over_saturated" if self._scenario.load.is_open else "given_up": True})
            crew.tell(CutStep())
            self._drain(CUT_S)
        elif not self._held():
            crew.tell(Rest())
            self._drain(min(self._scenario.request.timeout_s, DRAIN_S))
            self._note(drained_s=crew.now_s())
        live = crew.latest
        if live is not None and live.e2e_p50_s is not None:
            self._last_request_s = live.e2e_p50_s
        self.standing.end(self.request_s)

    def _held(self) -> bool:
        """Wait until all that was due in the window has ended; whether the next step may take the load over."""
        crew = self._crew
        bound_s = self._row["end_s"] + self._scenario.request.timeout_s + GRACE_S
        lost: dict[str, Any] = {"over_saturated": True} if self.standing.is_saturated() else {}
        while not crew.workers.are_held and not crew.is_over and not lost and crew.now_s() < bound_s:
            crew.wait(min(crew.now_s() + LOOK_S, bound_s), until=lambda: crew.workers.are_held)
            if not crew.workers.are_held and crew.workers.left:
                crew.on_event(Waits(crew.workers.left))
                lost = {"lost": True} if self.standing.cannot_pass() else {}
        if crew.is_over:
            return True  # nobody is left to hold it: cut short, as the run says elsewhere
        if crew.workers.are_held:
            self._note(held_s=crew.now_s())
            return True
        self._note(held_s=crew.now_s(), hold_bound=not lost, cut=0 if lost else crew.workers.left or 0, **lost)
        return False

    def _drain(self, seconds: float) -> None:
        crew = self._crew
        crew.wait(crew.now_s() + seconds, until=lambda: crew.workers.are_idle)
        if not crew.workers.are_idle:
            crew.tell(Drop())
            crew.wait(crew.now_s() + CUT_S, until=lambda: crew.workers.are_idle)
        self._users = 0

    def _note(self, **facts: Any) -> None:
        """Keep facts of the step that is on, in steps.jsonl too."""
        self._row |= facts
        self._write({"step": self._row["step"], **facts})

    def _write(self, row: Mapping[str, Any]) -> None:
        line = orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise BreakevenError(
                f"cannot write to {self._path.parent}: {error.strerror}",
                hint="free some space, or name another place with --out DIR; what was written is kept",
            ) from None
