"""Tells the load processes their steps and writes down when each really was (steps.jsonl). Imports no Locust."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import BreakevenError
from harness.load.conduct.crew import Crew
from harness.load.protocol import Finish, RunSteps, StepBegun
from harness.rundir.files import STEPS
from harness.scenario.steps import Step

START_S = 0.1  # from telling the processes to the common start instant


class Conductor:
    """Tells the processes their steps and writes down when each really was (steps.jsonl)."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._path = Path(crew.plan.run_dir) / STEPS
        self._open: int | None = None  # the step that is on

    def run(self, steps: list[Step]) -> None:
        """Run planned steps, each beginning where the last one ends."""
        crew = self._crew
        start_s = crew.now_s() + START_S + crew.lead_s
        crew.tell(RunSteps(steps, start_s))
        crew.tell(Finish())
        for step in steps:
            self.begin_step(step, start_s)
            start_s += step.length_s
            crew.wait(start_s)
            self.end_step(min(start_s, crew.now_s()))
            if crew.is_over:
                return

    def begin_step(self, step: Step, start_s: float) -> dict[str, Any]:
        """Write down that a step begins; its row."""
        row = {
            "step": step.step,
            "load": step.load,
            "start_s": start_s,
            "window_start_s": start_s + step.warmup_s,
            "end_s": None,
        }
        self._write(row)
        self._open = step.step
        self._crew.on_event(StepBegun(step.step, step.load, start_s, start_s + step.length_s))
        return row

    def end_step(self, end_s: float | None = None, **facts: Any) -> dict[str, Any]:
        """Write down that the step that is on ended (none: now), and what else is known of it."""
        if self._open is None:
            return {}
        row = {"step": self._open, "end_s": self._crew.now_s() if end_s is None else end_s, **facts}
        self._open = None
        self._write(row)
        return row

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
