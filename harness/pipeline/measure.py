"""One measurement: make the run directory, start the engine if need be, drive it, keep every row."""

import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.base.errors import BreakevenError, EngineError
from harness.base.token import new_token
from harness.calibration.client_facts import client_facts, git_revision
from harness.checks.impossible import without_impossible
from harness.engines.kind import Settings
from harness.engines.life.ready import how_it_ended
from harness.engines.life.running import Engine, running_engine
from harness.engines.process.process import log_tail
from harness.load.conduct.crew import OnEvent, Watch
from harness.load.plan import LoadPlan
from harness.load.protocol import Doing, Identified, Looked, Warned
from harness.load.run_events import Opened, RunEvent
from harness.load.search.probing import Aim
from harness.load.spending.purse import Spent
from harness.load.supervise import LoadOutcome, drive
from harness.metrics.steps import compute_metrics
from harness.pipeline.before_start import Plan, plan_start
from harness.pipeline.context import context_tokens
from harness.pipeline.gpus import check_gpus, look_here, note_gpus_of_engines, note_gpus_said
from harness.pipeline.judge_again import keep_tasks
from harness.pipeline.noting import (
    closed_connections,
    cut_short_by,
    note_end,
    note_engine,
    note_event,
    note_replicas,
    pass_on,
    spending_said,
)
from harness.pipeline.options import Measured, RunOptions
from harness.pipeline.rounds import TaskRun
from harness.rundir import files
from harness.rundir.collect import collect, has_rows
from harness.rundir.manifest import RunManifest
from harness.rundir.read import typed
from harness.rundir.results import Step
from harness.rundir.steps import step_of
from harness.scenario import Scenario, TaskPrompts
from harness.scenario.estimate import notes, trace_if_any
from harness.scenario.prompt_survey import prompts_said, survey_prompts
from harness.scenario.steps import most_at_once
from harness.scenario.task_file import tasks_digest
from harness.tasks import Task, read_tasks

ENGINE_LOG = "engine.log"
UNNAMED = "openai"  # the dialect, before anybody has said who answers
MOST_SLOTS = 64  # of an engine that we start; more requests than that wait their turn


def measure(options: RunOptions, on_event: OnEvent) -> Measured:
    """Measure, and leave run.json, records.parquet and client.parquet behind.

    Raises:
        BreakevenError: it could not begin; nothing is left behind but an engine's log.
        KeyboardInterrupt: interrupted before the first request.
    """
    said = prompts_said(options.scenario, survey_prompts(options.scenario, options.base_dir))
    spec = options.scenario.prompts
    tasks: Sequence[Task] = ()
    if isinstance(spec, TaskPrompts):
        tasks = read_tasks(spec, options.base_dir, with_functions=options.with_functions)
    start = None if options.urls else planned_start(options)  # refused before a run directory is there
    started = datetime.now(UTC)
    for note in start.notes if start is not None else ():
        on_event(Warned(note))
    for note in notes(options.scenario, trace_if_any(options.scenario, options.base_dir)):
        on_event(Warned(note))
    label = options.engine or options.backend or UNNAMED
    had_parent = options.out_dir.exists()
    run_dir = files.create_run_dir(
        options.out_dir, started, options.scenario.name, label, options.instance.get("id") or "unpriced"
    )
    manifest = _manifest(options, started)
    if said is not None:
        manifest.notes.append(f"Prompts of {said}.")
    if tasks:
        manifest.tasks_digest = tasks_digest(tasks)
    files.write_manifest(run_dir, manifest)
    on_event(Opened(run_dir))
    if isinstance(spec, TaskPrompts) and spec.keep_text:
        keep_tasks(spec, options.base_dir, run_dir)
    try:
        failure, interrupted = _drive(options, start, run_dir, manifest, on_event, tasks)
    except (BreakevenError, KeyboardInterrupt):
        if not has_rows(run_dir):
            _tidy(run_dir)
            if not had_parent:
                with suppress(OSError):  # an engine's log may be in it
                    options.out_dir.rmdir()
        raise
    cut_short = cut_short_by(manifest, interrupted=interrupted)
    if cut_short:
        manifest.client["cut_short"] = cut_short
    files.write_manifest(run_dir, manifest)
    collect(run_dir, keep_text=isinstance(spec, TaskPrompts) and spec.keep_text)
    manifest.client |= closed_connections(run_dir)
    if manifest.driven is not None:
        manifest.notes.append(spending_said(manifest.driven))
    manifest.partial = bool(cut_short) or failure is not None
    files.write_manifest(run_dir, manifest)  # the last word: whoever is killed before it leaves a partial run
    return Measured(run_dir, interrupted, failure)


def _drive(
    options: RunOptions,
    start: Plan | None,
    run_dir: Path,
    manifest: RunManifest,
    on_event: OnEvent,
    tasks: Sequence[Task],
) -> tuple[BreakevenError | None, bool]:
    with ExitStack() as stack:
        before = look_here() if start is not None else ()
        engines = _start_engines(start, run_dir, stack, on_event) if start is not None else []
        if engines:
            note_engine(manifest, engines[0], options.model, weights=options.weights, quantization=options.quantization)
            note_replicas(manifest, engines)
            note_gpus_of_engines(manifest, engines, before)
            check_gpus(manifest, options.box_gpus)
            files.write_manifest(run_dir, manifest)
        plan = _plan(options, run_dir, manifest, engines[0] if engines else None)

        def take(event: RunEvent) -> None:
            if note_event(manifest, event):
                if not engines and isinstance(event, Identified | Looked):
                    note_gpus_said(manifest, event)
                    check_gpus(manifest, options.box_gpus)
                files.write_manifest(run_dir, manifest)
            on_event(event)

        aim = Aim(
            lambda step, rows: _figures(step, rows, options.scenario), options.needed_goodput, options.usd_per_hour
        )
        try:
            if tasks:
                outcome = _rounds(options, plan, tasks, manifest, take, lambda: _death(engines))
            else:
                outcome = drive(plan, take, aim, lambda: _death(engines))
        except BreakevenError as error:
            if not has_rows(run_dir):
                raise
            return note_end(manifest, error), False
        if outcome.search is not None:
            manifest.client["search"] = asdict(outcome.search)
            manifest.notes.append(f"The search ended: {outcome.search.text}.")
        death = _death(engines)
        if death is not None and not outcome.interrupted:
            return note_end(manifest, death), False
        return None, outcome.interrupted


def _rounds(
    options: RunOptions, plan: LoadPlan, tasks: Sequence[Task], manifest: RunManifest, take: OnEvent, watch: Watch
) -> LoadOutcome:
    """The rounds of a task run, and what run.json keeps of them."""
    spec = options.scenario.prompts
    assert isinstance(spec, TaskPrompts)

    def drive_one(round_plan: LoadPlan) -> LoadOutcome:
        is_other = round_plan.round is not None and round_plan.round.role != "attempts"
        return drive(round_plan, (lambda event: pass_on(event, take_spent)) if is_other else take_spent, None, watch)

    def take_spent(event: RunEvent) -> None:
        if isinstance(event, Spent):
            run.spent = event
        take(event)

    functions_from = options.base_dir if options.with_functions else None
    run = TaskRun(spec, tasks, options.scenario.seed, plan, drive_one, take, functions_from)
    try:
        return run.run()
    finally:
        if run.not_asked:
            manifest.client["tasks_not_asked"] = run.not_asked
        if run.outside:
            manifest.notes.append(
                f"The server did not keep to the schema: {run.outside} of {run.bound} whole answers do not fit it, "
                "though `constrained: json_schema` asked it to allow nothing else."
            )


def _death(engines: Sequence[Engine]) -> EngineError | None:
    """How one of the engines that we started has ended; None while all run, or where none is ours."""
    dead = next((each for each in engines if each.process.poll() is not None), None)
    if dead is None:
        return None
    which = f"{dead.name} at {dead.base_url}" if len(engines) > 1 else dead.name
    return EngineError(
        f"{which} died during the run: it {how_it_ended(dead.process.poll())}",
        detail=log_tail(dead.process.log_path) or None,
        hint=f"what was measured before is kept; its whole log is {dead.process.log_path.name} in the run's directory",
    )


def _figures(step: Mapping[str, Any], rows: list[dict[str, Any]], scenario: Scenario) -> Step:
    """A probe's figures from its rows: the very ones that its report will show."""
    records, _ = without_impossible(typed(rows))
    return compute_metrics(records, [step_of(dict(step))], scenario).steps[0]


def planned_start(options: RunOptions) -> Plan:
    """The engine that a run without an URL starts, checked; a UsageError says why it cannot come up."""
    settings = Settings(
        context_tokens=context_tokens(options.scenario, options.base_dir),
        slots=min(most_at_once(options.scenario.load), MOST_SLOTS),
    )
    name = options.engine or "llama_cpp_python"
    return plan_start(name, options.model, settings, options.gpus, quantization=options.quantization)


def _start_engines(start: Plan, run_dir: Path, stack: ExitStack, on_event: OnEvent) -> list[Engine]:
    def say(text: str) -> None:
        on_event(Doing(text))

    started: list[Engine] = []
    for number, settings in enumerate(start.copies, 1):
        say(f"starting {start.kind.name}" + (f", replica {number} of {len(start.copies)}" if number > 1 else ""))
        log = run_dir / (ENGINE_LOG if number == 1 else f"engine-{number}.log")
        model = Path(start.model) if start.model else None
        running = running_engine(start.kind.name, log_path=log, model=model, settings=settings, progress=say)
        started.append(stack.enter_context(running))
    return started


def _plan(options: RunOptions, run_dir: Path, manifest: RunManifest, engine: Engine | None) -> LoadPlan:
    return LoadPlan(
        run_dir=str(run_dir),
        run_id=uuid.uuid4().hex[:8],
        salt=manifest.salt or "",
        scenario=manifest.scenario,
        base_dir=str(options.base_dir),
        urls=list(manifest.urls),
        backend=options.backend,
        model=engine.model if engine is not None else options.model,
        weights=options.weights,
        quantization=options.quantization,
        started_monotonic_ns=manifest.started_monotonic_ns,
        headers=dict(options.headers),
        api_key_env=options.api_key_env,
        ca_file=options.ca_file,
        extra_body=dict(options.extra_body),
        keep_arrivals=options.keep_arrivals,
        gpu_urls=list(options.gpu_urls),
        known_engine=engine.name if engine is not None else None,
        preflight=options.preflight,
        spending=options.budget.spending if options.budget is not None else None,
        workers=options.workers,
        remote_workers=options.remote_workers,
        listen=options.listen,
        token=options.token or new_token(),
    )


def _manifest(options: RunOptions, started: datetime) -> RunManifest:
    return RunManifest(
        scenario=options.scenario.model_dump(mode="json"),
        scenario_digest=options.scenario.digest(),
        backend=options.backend or UNNAMED,
        engine={"name": None, "version": None, "flags": None},
        model=options.model if options.urls else None,
        quantization=None,
        instance=dict(options.instance),
        client=client_facts(
            workers=options.workers, header_names=list(options.headers), extra_body=dict(options.extra_body)
        ),
        seed=options.scenario.seed,
        started_at=started.isoformat(timespec="seconds"),
        started_monotonic_ns=time.monotonic_ns(),
        harness_version=__version__,
        git_revision=git_revision(),
        partial=True,  # until it says that it is whole
        urls=list(options.urls),
        arms=list(options.arms),
        demand=dict(options.demand) if options.demand is not None else None,
        people=options.people,
        notes=list(options.notes),
        salt=options.salt or uuid.uuid4().hex,
        prompts_of=options.prompts_of,
        driven=options.budget.driven if options.budget is not None else None,
        box=options.box_facts,
    )


def _tidy(run_dir: Path) -> None:
    """Nothing was measured: leave an engine's log if there is one, else nothing."""
    for path in run_dir.iterdir():
        if not path.match("engine*.log"):
            path.unlink()
    if not any(run_dir.iterdir()):
        run_dir.rmdir()
