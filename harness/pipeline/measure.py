"""One measurement: make the run directory, start the engine if need be, drive it, keep every row."""

import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
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
from harness.load.conduct.crew import OnEvent
from harness.load.plan import LoadPlan
from harness.load.protocol import Doing, Identified, Looked, Prepared, Unfit, Warned
from harness.load.run_events import BrokenPart, Elsewhere, Lost, RunEvent
from harness.load.search.probing import Aim
from harness.load.supervise import drive
from harness.metrics.steps import compute_metrics
from harness.rundir import files
from harness.rundir.collect import collect, has_rows
from harness.rundir.identity import Identity, SaidCount, SaidText
from harness.rundir.manifest import RunManifest
from harness.rundir.read import read_client, read_records, typed
from harness.rundir.results import Step
from harness.rundir.steps import step_of
from harness.scenario import Scenario, SessionPrompts, SyntheticPrompts, TraceLoad
from harness.scenario.estimate import notes
from harness.scenario.prompt_survey import prompts_said, survey_prompts
from harness.scenario.prompts import most_tokens
from harness.scenario.steps import most_at_once
from harness.scenario.trace import read_trace

ENGINE_LOG = "engine.log"
STARTED = "the engine that was started"
UNNAMED = "openai"  # the dialect, before anybody has said who answers
SPARE_CONTEXT_TOKENS = 64  # BOS, chat template, a rounding of lengths
DEFAULT_CONTEXT_TOKENS = 4096  # at least, where prompts come from a file
MOST_FILE_CONTEXT_TOKENS = 32_768  # at most, whatever stands in one; the engine refuses what is longer
MOST_SLOTS = 64  # of an engine that we start; more requests than that wait their turn


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What to measure, on what, and what to price it as."""

    scenario: Scenario
    base_dir: Path
    backend: str | None  # the dialect; None: that of whoever answers
    out_dir: Path
    urls: Sequence[str] = ()
    engine: str | None = None  # started by us when there is no URL
    model: str | None = None
    instance: Mapping[str, Any] = field(default_factory=dict)  # id, purchase, usd_per_hour, replicas
    arms: Sequence[str] = ()
    demand: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    api_key_env: str | None = None
    ca_file: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    keep_arrivals: bool = False
    gpu_urls: Sequence[str] = ()  # DCGM-exporter's
    workers: int = 1  # load processes in all
    remote_workers: int = 0  # so many of them on other machines
    listen: str = ""  # HOST:PORT where those connect to
    token: str = field(default="", repr=False)  # that they share with the run; "": none was given, one is made
    usd_per_hour: float | None = None  # of the box, to say what a search has saved
    needed_goodput: Mapping[str, float | None] = field(default_factory=dict)
    """Requests per second at which the box pays, by arm (None: at none): a search stops when all are decided."""
    salt: str | None = None  # of the run whose prompts are sent again; None: a fresh one
    prompts_of: str | None = None  # that run's directory
    preflight: bool = False  # one request to each URL before the load, as the command line asks for
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement that left a run directory."""

    run_dir: Path
    interrupted: bool
    failure: BreakevenError | None = None  # what ended it early, after rows had been written


def measure(options: RunOptions, on_event: OnEvent) -> Measured:
    """Measure, and leave run.json, records.parquet and client.parquet behind.

    Raises:
        BreakevenError: it could not begin; nothing is left behind but an engine's log.
        KeyboardInterrupt: interrupted before the first request.
    """
    said = prompts_said(options.scenario, survey_prompts(options.scenario, options.base_dir))
    started = datetime.now(UTC)
    for note in notes(options.scenario):
        on_event(Warned(note))
    label = options.engine or options.backend or UNNAMED
    had_parent = options.out_dir.exists()
    run_dir = files.create_run_dir(
        options.out_dir, started, options.scenario.name, label, options.instance.get("id") or "unpriced"
    )
    manifest = _manifest(options, started)
    if said is not None:
        manifest.notes.append(f"Prompts of {said}.")
    files.write_manifest(run_dir, manifest)
    try:
        failure, interrupted = _drive(options, run_dir, manifest, on_event)
    except (BreakevenError, KeyboardInterrupt):
        if not has_rows(run_dir):
            _tidy(run_dir)
            if not had_parent:
                with suppress(OSError):  # an engine's log may be in it
                    options.out_dir.rmdir()
        raise
    cut_short = _cut_short(manifest, interrupted=interrupted)
    if cut_short:
        manifest.client["cut_short"] = cut_short
    files.write_manifest(run_dir, manifest)
    collect(run_dir)
    manifest.client |= _closed_connections(run_dir)
    manifest.partial = bool(cut_short) or failure is not None
    files.write_manifest(run_dir, manifest)  # the last word: whoever is killed before it leaves a partial run
    return Measured(run_dir, interrupted, failure)


def _cut_short(manifest: RunManifest, *, interrupted: bool) -> str:
    """Why a run that came to its end is not whole; empty where it is."""
    if interrupted:
        return "it was interrupted"
    if "lost_workers" in manifest.client:
        return "a load process was lost"
    return "a part of the client failed" if "broken_parts" in manifest.client else ""


def _closed_connections(run_dir: Path) -> dict[str, int]:
    """How often a kept connection was found closed, for the report; nothing where none was."""
    client, attempts = read_client(run_dir), read_records(run_dir)["attempt"]
    told = {
        "kept_connections_found_closed": int(client["found_closed"].sum()) if "found_closed" in client else 0,
        "requests_written_again_that_nobody_read": int((attempts > 1).sum()),
    }
    return {key: count for key, count in told.items() if count}


def _drive(
    options: RunOptions, run_dir: Path, manifest: RunManifest, on_event: OnEvent
) -> tuple[BreakevenError | None, bool]:
    with ExitStack() as stack:
        engine = _start_engine(options, run_dir, stack, on_event) if not options.urls else None
        if engine is not None:
            _note_engine(manifest, engine)
            files.write_manifest(run_dir, manifest)
        plan = _plan(options, run_dir, manifest, engine)
        try:
            outcome = drive(
                plan,
                lambda event: _on_event(event, run_dir, manifest, on_event),
                Aim(
                    lambda step, rows: _figures(step, rows, options.scenario),
                    options.needed_goodput,
                    options.usd_per_hour,
                ),
                lambda: _death(engine),
            )
        except BreakevenError as error:
            if not has_rows(run_dir):
                raise
            return _note_end(manifest, error), False
        if outcome.search is not None:
            manifest.client["search"] = asdict(outcome.search)
            manifest.notes.append(f"The search ended: {outcome.search.text}.")
        death = _death(engine)
        if death is not None and not outcome.interrupted:
            return _note_end(manifest, death), False
        return None, outcome.interrupted


def _death(engine: Engine | None) -> EngineError | None:
    """How the engine that we started has ended; None while it runs, or where it is not ours."""
    if engine is None or engine.process.poll() is None:
        return None
    return EngineError(
        f"{engine.name} died during the run: it {how_it_ended(engine.process.poll())}",
        detail=log_tail(engine.process.log_path) or None,
        hint="what was measured before is kept; its whole log is engine.log in the run's directory",
    )


def _note_end(manifest: RunManifest, error: BreakevenError) -> BreakevenError:
    """Keep for the report what ended the run early."""
    manifest.client["ended_early"] = {"text": str(error), "hint": error.hint}
    return error


def _figures(step: Mapping[str, Any], rows: list[dict[str, Any]], scenario: Scenario) -> Step:
    """A probe's figures from its rows: the very ones that its report will show."""
    records, _ = without_impossible(typed(rows))
    return compute_metrics(records, [step_of(dict(step))], scenario).steps[0]


def _on_event(event: RunEvent, run_dir: Path, manifest: RunManifest, on_event: OnEvent) -> None:
    """Keep in run.json what a reader of the run must know, then hand it on."""
    client = manifest.client
    match event:
        case Identified():
            _note_identity(manifest, event)
        case Unfit():
            client["unfit"] = [*client.get("unfit", []), asdict(event)]
        case Looked():
            manifest.via = event.via
        case Prepared():
            client |= {"tokenizer": event.learned.tokenizer_path, "exact_lengths": event.learned.exact}
            if event.learned.answers_said is not None:
                manifest.notes.append(f"{event.learned.answers_said}.")
        case Elsewhere():
            client["remote_workers"] = [asdict(worker) for worker in event.workers]
        case Lost():
            client["lost_workers"] = [asdict(worker) for worker in event.workers]
        case BrokenPart():
            client.setdefault("broken_parts", []).append(asdict(event))
            manifest.notes.append(
                f"In load process {event.worker + 1} {event.part} failed after {event.t_s:.0f} s ({event.text}): "
                "what it would have told is missing from then on."
            )
        case _:
            on_event(event)
            return
    files.write_manifest(run_dir, manifest)
    on_event(event)


def _note_identity(manifest: RunManifest, event: Identified) -> None:
    """Who answers, and in which dialect it is spoken to; of an engine that we started more is known already."""
    said = event.identity
    manifest.backend = said.dialect or manifest.backend
    manifest.client["served_models"] = event.served_models
    manifest.model = manifest.model or event.model
    if manifest.identity is None:
        manifest.identity = said
        manifest.engine = {"name": said.engine, "version": said.version, "flags": event.flags}
        manifest.engine |= {
            key: fact.value
            for key, fact in (("slots", said.slots), ("context_tokens", said.context))
            if fact is not None
        }
        manifest.quantization = said.quantization.value if said.quantization is not None else None
    else:
        manifest.identity = manifest.identity.model_copy(update={"dialect": said.dialect})


def _start_engine(options: RunOptions, run_dir: Path, stack: ExitStack, on_event: OnEvent) -> Engine:
    def say(text: str) -> None:
        on_event(Doing(text))

    name = options.engine or "llama_cpp_python"
    say(f"starting {name}")
    settings = Settings(
        context_tokens=context_tokens(options.scenario, options.base_dir),
        slots=min(most_at_once(options.scenario.load), MOST_SLOTS),
    )
    model = Path(options.model) if options.model else None
    return stack.enter_context(
        running_engine(name, log_path=run_dir / ENGINE_LOG, model=model, settings=settings, progress=say)
    )


def context_tokens(scenario: Scenario, base_dir: Path = Path()) -> int:
    """Room for the longest single request of the scenario, in tokens."""
    prompts, load = scenario.prompts, scenario.load
    if isinstance(load, TraceLoad):
        rows = read_trace(base_dir / load.file, max_requests=load.max_requests).rows
        return max(row.input_tokens + row.output_tokens for row in rows) + SPARE_CONTEXT_TOKENS
    if isinstance(prompts, SessionPrompts):
        longest = prompts.input_tokens(prompts.turns - 1)
    elif isinstance(prompts, SyntheticPrompts):
        longest = most_tokens(prompts.input_tokens)
    else:
        survey = survey_prompts(scenario, base_dir)
        longest = survey.longest_tokens if survey is not None else 0
        return min(max(longest + SPARE_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS), MOST_FILE_CONTEXT_TOKENS)
    return longest + most_tokens(prompts.output_tokens) + SPARE_CONTEXT_TOKENS


def _note_engine(manifest: RunManifest, engine: Engine) -> None:
    manifest.engine = {
        "name": engine.name,
        "version": engine.version,
        "flags": engine.flags,
        "slots": engine.slots,
        "context_tokens": engine.context_tokens,
    }
    manifest.model, manifest.quantization = engine.model, engine.quantization
    manifest.identity = identity_of(engine)
    manifest.urls = [engine.base_url]


def identity_of(engine: Engine) -> Identity:
    """Of an engine that we started."""
    return Identity(
        engine=engine.name,
        version=engine.version,
        weights=SaidText(value=engine.model, said_by=STARTED) if engine.model else None,
        quantization=SaidText(value=engine.quantization, said_by=STARTED) if engine.quantization else None,
        context=SaidCount(value=engine.context_tokens, said_by=STARTED) if engine.context_tokens else None,
        slots=SaidCount(value=engine.slots, said_by=STARTED) if engine.slots else None,
    )


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
        started_monotonic_ns=manifest.started_monotonic_ns,
        headers=dict(options.headers),
        api_key_env=options.api_key_env,
        ca_file=options.ca_file,
        extra_body=dict(options.extra_body),
        keep_arrivals=options.keep_arrivals,
        gpu_urls=list(options.gpu_urls),
        known_engine=engine.name if engine is not None else None,
        preflight=options.preflight,
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
        notes=list(options.notes),
        salt=options.salt or uuid.uuid4().hex,
        prompts_of=options.prompts_of,
    )


def _tidy(run_dir: Path) -> None:
    """Nothing was measured: leave an engine's log if there is one, else nothing."""
    log = run_dir / ENGINE_LOG
    for path in run_dir.iterdir():
        if path != log:
            path.unlink()
    if not log.exists():
        run_dir.rmdir()
