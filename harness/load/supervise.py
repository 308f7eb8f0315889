"""Conducts a run: who runs which step from when to when, and how it ended. Imports no Locust."""

import math
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.load.conduct.conductor import Conductor
from harness.load.conduct.crew import Crew, OnEvent, Watch, watch_nothing
from harness.load.limits import check_limits
from harness.load.plan import LoadPlan
from harness.load.protocol import Doing
from harness.load.search.probes import Stop
from harness.load.search.probing import Aim, Searcher
from harness.scenario import Scenario, SearchLoad, TraceLoad
from harness.scenario.steps import Step, most_at_once, planned_steps
from harness.scenario.trace import trace_of


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """How the load ended."""

    interrupted: bool  # Ctrl-C or SIGTERM: the rows so far are there
    search: Stop | None = None  # how a search ended; None where there was none, or it was cut short


def drive(plan: LoadPlan, on_event: OnEvent, aim: Aim | None = None, watch: Watch = watch_nothing) -> LoadOutcome:
    """Run the load to its end and hand every event to `on_event`; a search needs its `aim`.

    Each second `watch` may end it with an error; rows are kept.

    The first Ctrl-C ends the load and keeps its rows, the second kills it.

    Raises:
        EndpointError, UsageError: what a load process said, or an endpoint that refuses all or is gone.
        BreakevenError: the last process died without a word, or what `watch` said.
    """
    scenario = Scenario.model_validate(plan.scenario)
    steps = steps_of(scenario, Path(plan.base_dir))
    _check_shares(plan, most_at_once(scenario.load), is_open=scenario.load.is_open)
    crew = Crew(plan, on_event, watch)
    conductor = Conductor(crew, scenario)
    ending: Stop | None = None
    interrupted = False
    try:
        try:
            crew.start()
            ending = _conduct(crew, conductor, scenario, steps, aim)
            crew.wait_for_end()
        except KeyboardInterrupt:
            interrupted = True
            conductor.end_step()
            crew.interrupt()
            on_event(Doing("stopping; Ctrl-C again to drop what is under way"))
            crew.wait_for_end()
    except KeyboardInterrupt:
        interrupted = True
    finally:
        crew.close()
    if crew.failure is not None and not interrupted:
        raise crew.failure
    return LoadOutcome(interrupted or crew.was_interrupted, ending)


def _check_shares(plan: LoadPlan, most: int, *, is_open: bool) -> None:
    """Whether `most` requests at once can be shared by the processes, and be had on this machine.

    Raises:
        UsageError: they cannot.
    """
    if is_open and most < plan.workers:
        raise UsageError(f"--workers {plan.workers} share max_in_flight {most}: too few")
    here = plan.workers - plan.remote_workers
    if here:
        check_limits(math.ceil(most * here / plan.workers), here, plan.urls)


def _conduct(crew: Crew, conductor: Conductor, scenario: Scenario, steps: list[Step], aim: Aim | None) -> Stop | None:
    """The steps as planned, or the search as it goes; how the search ended."""
    if isinstance(scenario.load, SearchLoad):
        assert aim is not None
        searcher = Searcher(crew, conductor, scenario, aim)
        searcher.run()
        return searcher.ending
    if not crew.is_over:
        conductor.run(steps)
    return None


def steps_of(scenario: Scenario, base_dir: Path) -> list[Step]:
    """The planned steps; none for a search.

    Raises:
        UsageError: a trace that cannot be read, or parts or slices too short to show anything.
    """
    load = scenario.load
    if not isinstance(load, TraceLoad):
        return planned_steps(load)
    trace = trace_of(load, base_dir)
    return planned_steps(load, arrivals_s=[row.arrival_s for row in trace.rows])
