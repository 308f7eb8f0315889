"""How a round of tasks stands, by the rows that have come: which of its tasks were sent, which have ended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.load.plan import RoundPlan
from harness.rundir.recorder import NewRows
from harness.scenario import Scenario
from harness.scenario.asks import TaskAsk
from harness.scenario.load import ClosedLoad, OpenLoad
from harness.scenario.steps import Step, even_step


class RoundWatch:
    """Reads each row of the round once."""

    def __init__(self, run_dir: Path, plan: RoundPlan, asks: Sequence[TaskAsk]) -> None:
        self._new_rows = NewRows(run_dir)
        self._plan = plan
        self._last_turns = {ask.task: len(ask.turns) for ask in asks}
        self._sent_s: dict[str, float] = {}
        self._ended: set[str] = set()

    def is_over(self) -> bool:
        """Whether every task of the round has ended."""
        for row in self._new_rows.take():
            is_ask = row["task"] is not None and not row["repeat"] and not row["retried"]
            if is_ask and row["step"] == self._plan.step:
                self._take(row)
        return len(self._ended) == len(self._last_turns)

    def _take(self, row: Mapping[str, Any]) -> None:
        task, sent_s = row["task"], row["scheduled_s"] if row["sent_s"] is None else row["sent_s"]
        self._sent_s[task] = min(sent_s, self._sent_s.get(task, sent_s))
        if row["error"] is not None or ((row["turn"] or 0) == self._last_turns[task] and not row["summary"]):
            self._ended.add(task)

    @property
    def last_sent_s(self) -> float | None:
        """When the last task was sent; None: none was."""
        return max(self._sent_s.values(), default=None)

    @property
    def not_asked(self) -> int:
        """Tasks of which no row has come."""
        return len(self._last_turns) - len(self._sent_s)

    def step_of(self, scenario: Scenario) -> Step:
        """The round as a step, as long as it may last."""
        plan, load = self._plan, scenario.load
        assert isinstance(load, ClosedLoad | OpenLoad)  # a scenario of tasks has no other
        warmup_s = load.warmup_s if plan.repeats else 0.0
        length_s = plan.max_s + warmup_s
        if isinstance(load, ClosedLoad):
            step = even_step(plan.step, "users", load.users[0], length_s, load)
        else:
            step = even_step(plan.step, "requests_per_s", load.requests_per_s[0], length_s, load)
        return replace(step, warmup_s=warmup_s)
