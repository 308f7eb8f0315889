"""Conducts a run: who runs which step from when to when, and how it ended. Imports no Locust."""

import math
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import UsageError
from harness.load.conduct.conductor import Conductor
from harness.load.conduct.crew import Crew, OnEvent, Watch, watch_nothing
from harness.load.conduct.rounds import RoundWatch
from harness.load.limits import check_limits
from harness.load.plan import Learned, LoadPlan
from harness.load.protocol import Doing
from harness.load.search.probes import Stop
from harness.load.search.probing import Aim, Searcher
from harness.scenario import Scenario, SearchLoad, TraceLoad
from harness.scenario.asks import read_asks
from harness.scenario.steps import Step, most_at_once, planned_steps
from harness.scenario.trace import trace_of


@dataclass(frozen=True, slots=True)
class LoadOutcome:
    """How the load ended."""

    interrupted: bool  # Ctrl-C or SIGTERM: the rows so far are there
    search: Stop | None = None  # how a search ended; None where there was none, or it was cut short
    learned: Learned | None = None  # of the endpoint
    request_s: float | None = None  # that a request took under the last load


def drive(plan: LoadPlan, on_event: OnEvent, aim: Aim | None = None, watch: Watch = watch_nothing) -> LoadOutcome:
    """Run the load to its end and hand every event to `on_event`; a search needs its `aim`.

    Each second `watch` may end it with an error; rows are kept.

    The first Ctrl-C ends the load and keeps its rows, the second kills it.

    Raises:
        EndpointError, UsageError: what a load process said, or an endpoint that refuses all or is gone.
        BreakevenError: the last process died without a word, or what `watch` said.
    """
    scenario = Scenario.model_validate(plan.scenario)
    steps = steps_of(scenario, Path(plan.base_dir)) if plan.round is None else []
    _check_shares(plan, most_at_once(scenario.load), is_open=scenario.load.is_open)
    crew = Crew(plan, on_event, watch)
    conductor = Conductor(crew, scenario)
    ending: Stop | None = None
    interrupted = False
    of_round = plan.round
    tasks = None if of_round is None else RoundWatch(Path(plan.run_dir), of_round, read_asks(Path(of_round.asks)))
    try:
        try:
            crew.start()
            ending = _conduct(crew, conductor, scenario, steps, aim, tasks)
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
    learned = None if crew.prepared is None else crew.prepared.learned
    return LoadOutcome(interrupted or crew.was_interrupted, ending, learned, conductor.request_s)


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


def _conduct(
    crew: Crew, conductor: Conductor, scenario: Scenario, steps: list[Step], aim: Aim | None, tasks: RoundWatch | None
) -> Stop | None:
    """The steps as planned, a round of tasks, or the search as it goes; how the search ended."""
    if isinstance(scenario.load, SearchLoad):
        assert aim is not None
        searcher = Searcher(crew, conductor, scenario, aim)
        searcher.run()
        return searcher.ending
    if tasks is not None and not crew.is_over:
        conductor.run_round(tasks.step_of(scenario), tasks)
    elif not crew.is_over:
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
