"""How the step that is on stands, by the rows and the samples that have come: is it lost already?"""

from pathlib import Path
from typing import Any

from harness.load.conduct.crew import Crew
from harness.load.conduct.giving_up import LATE_S, Tally, cannot_pass, most_to_come
from harness.metrics.saturation import SETTLED, is_growing
from harness.rundir.recorder import NewRows
from harness.scenario import Scenario, SearchLoad
from harness.scenario.steps import Step


class Standing:
    """The window of one step after another; every row is read once."""

    def __init__(self, crew: Crew, scenario: Scenario) -> None:
        self.rows: list[dict[str, Any]] = []  # that came since the step began, where a search judges by them
        self.is_window_over = False
        self._crew = crew
        self._scenario = scenario
        self._keeps_rows = isinstance(scenario.load, SearchLoad)
        self._limits = scenario.slo.limits()
        self._new_rows = NewRows(Path(crew.plan.run_dir))
        self._unloaded_s: float | None = None  # a request's time at the first load: tells a queue
        self._tally = Tally()
        self._step: Step | None = None
        self._begin_s = self._end_s = 0.0  # of the window
        self._dropped = 0  # arrivals, before

    def begin(self, step: Step, begin_s: float, end_s: float) -> None:
        """A step begins whose window is planned from `begin_s` to `end_s`."""
        self._step, self._begin_s, self._end_s = step, begin_s, end_s
        self.is_window_over = False
        self._tally = Tally(from_schedule=self._scenario.load.is_open)
        self.look()
        self.rows.clear()  # they ended before
        self._dropped = self._crew.workers.not_sent

    def end(self, request_s: float | None) -> None:
        """The step is over; a request of it took about `request_s`."""
        self._unloaded_s = request_s if self._unloaded_s is None else self._unloaded_s

    def look(self) -> None:
        """Take in what has come since the last look."""
        assert self._step is not None
        for record in self._new_rows.take():
            if record["repeat"]:
                continue
            if self._keeps_rows:
                self.rows.append(record)
            due_s = record["scheduled_s"] or 0.0
            if record["step"] == self._step.step and self._begin_s <= due_s < self._end_s:
                self._tally.add(record)
        live = self._crew.latest
        if live is not None:
            self._tally.wait(live.waiting, self._begin_s)

    def is_saturated(self) -> bool:
        """Whether the queue of a step by rate only grows."""
        crew, step = self._crew, self._step
        assert step is not None
        elapsed_s = min(crew.now_s(), self._end_s) - self._begin_s
        if step.rate is None or self._unloaded_s is None or elapsed_s < SETTLED * self._unloaded_s:
            return False
        samples = [in_flight for t_s, in_flight in crew.in_flight_log if self._begin_s <= t_s < self._end_s]
        return is_growing(samples, step.rate[0] * elapsed_s)

    @property
    def drops(self) -> bool:
        """Whether an arrival of the step was not sent."""
        return self._crew.workers.not_sent > self._dropped

    def cannot_pass(self) -> bool:
        """Whether the step breaks a limit whatever is still to come."""
        crew, step = self._crew, self._step
        assert step is not None
        self.look()
        to_come = crew.workers.left
        if not self.is_window_over:
            assert step.users is not None
            to_come = most_to_come(self._tally, step.users[0], self._end_s - crew.now_s() + LATE_S, self._unloaded_s)
        return to_come is not None and cannot_pass(self._tally, to_come, self._limits, self._scenario.slo.error_rate)
