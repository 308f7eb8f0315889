"""Conducts a run: who runs which step from when to when, and how it ended. Imports no Locust."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from harness.errors import BreakevenError, UsageError
from harness.load.crew import Crew, OnEvent
from harness.load.plan import LoadPlan
from harness.scenario import Scenario, SearchLoad, TraceLoad
from harness.scenario.steps import Step, most_at_once, planned_steps
from harness.store import STEPS
from harness.trace import read_trace

START_S = 0.1  # from telling the processes to the common start instant


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """How the load ended."""

    interrupted: bool  # Ctrl-C or SIGTERM: the rows so far are there
    prepared: Mapping[str, Any] | None  # what the endpoint said of itself
    lost_workers: list[dict[str, Any]]  # load processes that died on the way: their share was not driven


def drive(plan: LoadPlan, on_event: OnEvent) -> LoadOutcome:
    """Run the load to its end and hand every event to `on_event`.

    The first Ctrl-C ends the load and keeps its rows, the second kills it.

    Raises:
        EndpointError, UsageError: what a load process said. BreakevenError: the last one died without a word.
    """
    scenario = Scenario.model_validate(plan.scenario)
    steps = steps_of(scenario, Path(plan.base_dir))
    if isinstance(scenario.load, SearchLoad):
        raise UsageError(
            "`load.kind: search` cannot be run yet", hint="a ladder can: load: {users: [1, 2, 4]}"
        )
    if scenario.load.is_open and most_at_once(scenario.load) < plan.workers:
        raise UsageError(
            f"--workers {plan.workers} share max_in_flight {most_at_once(scenario.load)}: too few"
        )
    crew = Crew(plan, on_event)
    conductor = Conductor(crew)
    interrupted = False
    try:
        try:
            crew.start()
            if not crew.is_over:
                conductor.run(steps)
            crew.wait()
        except KeyboardInterrupt:
            interrupted = True
            conductor.end_step()
            crew.interrupt()
            on_event({"event": "doing", "text": "stopping; Ctrl-C again to drop what is under way"})
            crew.wait()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        crew.close()
    if crew.failure is not None and not interrupted:
        raise crew.failure
    return LoadOutcome(interrupted or crew.was_interrupted, crew.prepared, crew.lost)


def steps_of(scenario: Scenario, base_dir: Path) -> list[Step]:
    """The planned steps; none for a search.

    Raises:
        UsageError: a trace that cannot be read.
    """
    load = scenario.load
    if not isinstance(load, TraceLoad):
        return planned_steps(load)
    trace = read_trace(base_dir / load.file, max_requests=load.max_requests)
    return planned_steps(load, trace_span_s=trace.span_s, trace_requests=len(trace.rows))


class Conductor:
    """Tells the processes their steps and writes down when each really was (steps.jsonl)."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._path = Path(crew.plan.run_dir) / STEPS
        self._open: int | None = None  # the step that is on

    def run(self, steps: list[Step]) -> None:
        """Run planned steps, each beginning where the last one ends."""
        crew = self._crew
        start_s = crew.now_s() + START_S
        crew.tell("steps", steps=[asdict(step) for step in steps], start_s=start_s)
        crew.tell("finish")
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
        self._crew.on_event({"event": "step", **row, "planned_end_s": start_s + step.length_s})
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
