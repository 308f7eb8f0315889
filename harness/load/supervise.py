"""Conducts a run: who runs which step from when to when, and how it ended. Imports no Locust."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import UsageError
from harness.load.conduct.conductor import Conductor
from harness.load.conduct.crew import Crew, OnEvent, Watch, watch_nothing
from harness.load.limits import check_limits
from harness.load.plan import LoadPlan
from harness.load.search.probing import Judge, Searcher
from harness.scenario import Scenario, SearchLoad, TraceLoad
from harness.scenario.steps import Step, most_at_once, planned_steps
from harness.scenario.trace import read_trace


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """How the load ended."""

    interrupted: bool  # Ctrl-C or SIGTERM: the rows so far are there
    prepared: Mapping[str, Any] | None  # what the endpoint said of itself
    search: dict[str, str] | None = (
        None  # how a search ended: {"reason", "text"}; None where it was cut short
    )


def drive(
    plan: LoadPlan, on_event: OnEvent, judge: Judge | None = None, watch: Watch = watch_nothing
) -> LoadOutcome:
    """Run the load to its end and hand every event to `on_event`; a search needs `judge`.

    Each second `watch` may end it with an error; rows are kept.

    The first Ctrl-C ends the load and keeps its rows, the second kills it.

    Raises:
        EndpointError, UsageError: what a load process said, or an endpoint that refuses all or is gone.
        BreakevenError: the last process died without a word, or what `watch` said.
    """
    scenario = Scenario.model_validate(plan.scenario)
    steps = steps_of(scenario, Path(plan.base_dir))
    if scenario.load.is_open and most_at_once(scenario.load) < plan.workers:
        raise UsageError(
            f"--workers {plan.workers} share max_in_flight {most_at_once(scenario.load)}: too few"
        )
    here = plan.workers - plan.remote_workers
    if here:
        check_limits(math.ceil(most_at_once(scenario.load) * here / plan.workers), here, plan.urls)
    crew = Crew(plan, on_event, watch)
    conductor = Conductor(crew)
    searcher: Searcher | None = None
    interrupted = False
    try:
        try:
            crew.start()
            if isinstance(scenario.load, SearchLoad):
                assert judge is not None
                searcher = Searcher(crew, conductor, scenario, judge)
                searcher.run()
            elif not crew.is_over:
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
    ending = searcher.ending if searcher is not None else None
    return LoadOutcome(interrupted or crew.was_interrupted, crew.prepared, ending)


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
