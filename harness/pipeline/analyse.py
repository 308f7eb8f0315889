"""From a run directory to its figures, its decision and its report. No measuring, no network."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.base.errors import EXIT_DO_NOT_TRUST, EXIT_DONE, UsageError
from harness.base.people import PeopleSaid
from harness.base.yamlfile import validate
from harness.checks.impossible import without_impossible
from harness.checks.run import Measured, with_checks, worst_level
from harness.cost.box.splits import BusyRun
from harness.cost.extras import busy_run
from harness.cost.focus import write_focus_csv
from harness.cost.verdict import build_decision
from harness.metrics.replicas import driven_of
from harness.metrics.server import server_side
from harness.metrics.steps import compute_metrics
from harness.metrics.tasks import Outcomes, outcomes_of
from harness.pipeline.against import against_of
from harness.pipeline.demanded import choose_demand
from harness.pipeline.imported import summary_metrics, without_lateness
from harness.pipeline.reread import read_decision, read_metrics
from harness.report import render_report
from harness.report.model import RunFiles
from harness.rundir import files
from harness.rundir.collect import has_rows
from harness.rundir.identity import BY_USER, SaidText
from harness.rundir.judged import read_judged
from harness.rundir.manifest import InstanceFacts, RunManifest, with_boxes, with_weights
from harness.rundir.read import read_arrivals, read_client, read_load, read_records, read_server_metrics
from harness.rundir.result import Check
from harness.rundir.results import Metrics
from harness.rundir.steps import read_steps
from harness.scenario import Scenario
from harness.scenario.tasks import TaskPrompts


class Analysis(RunFiles):
    """Everything a run says, and the exit code it earns. Without a decision no instance, hence no price, is known."""

    @property
    def exit_code(self) -> int:
        """3 when a check of level error says not to trust it, else 0."""
        return EXIT_DO_NOT_TRUST if worst_level(self.checks) == "error" else EXIT_DONE

    @property
    def checks(self) -> list[Check]:
        """Every finding, of steps, run and decision."""
        found = [check for step in self.metrics.steps for check in step.checks] + list(self.metrics.checks)
        return found + list(self.decision.checks if self.decision is not None else ())


def analyse_run(
    run_dir: Path,
    *,
    apis: Sequence[str] = (),
    demand_file: Path | None = None,
    people: PeopleSaid | None = None,
    prices_file: Path | None = None,
    beside: Sequence[Path] = (),
    boxes: int | None = None,
    weights: str | None = None,
    quantization: str | None = None,
    against: Sequence[Path] = (),
    replicas_per_instance: int | None = None,
) -> Analysis:
    """Compute metrics.json, decision.json and the reports of a run, and write them into its directory.

    What is not given is what the run itself was asked for; without a demand that is its own requests (`demanded.py`),
    of which `people` says who operates the box. `boxes`: so many instances are what it drove;
    `replicas_per_instance`: so many such engines fill one. Runs `beside` it on the same box and engine, with requests
    of another shape, measure what an output token weighs against an input token. `weights` and `quantization`: what the
    user says of the model, where its engine did not. Runs of APIs that it is set `against` were asked the same tasks:
    each brings its own success and tokens.

    Raises:
        UsageError: no run directory, or a demand, API or price that cannot be used; other tasks.
    """
    manifest = with_weights(files.read_manifest(run_dir), weights, quantization)
    manifest.instance = with_boxes(manifest.instance, boxes, replicas_per_instance)
    metrics = metrics_of(run_dir, manifest)
    others = tuple(_beside(run_dir, manifest))
    own = Analysis(run_dir, manifest, metrics, None, outcomes_in(run_dir, manifest), beside=others)
    facing = against_of(own, [_as_measured(other) for other in against])
    if against and not _has_price(manifest):
        raise UsageError(
            f"{run_dir} names no instance and no price per hour, so nothing can be set against an API",
            hint="`breakeven run ... --instance g5.12xlarge`, or `--usd-per-hour`",
        )
    decision = None
    demand = choose_demand(run_dir, manifest, metrics, demand_file, people)
    if _has_price(manifest) and demand is not None:
        decision = build_decision(
            manifest,
            metrics,
            demand,
            list(apis) or manifest.arms,
            prices_file=prices_file,
            shape_runs=_shape_runs(manifest, metrics, [other for other in beside if other != run_dir]),
            against=facing.apis,
            more_checks=facing.checks,
        )
        files.write_json(run_dir, "decision.json", decision.to_dict())
        write_focus_csv(decision, run_dir / "focus.csv")
    files.write_json(run_dir, "metrics.json", metrics.to_dict())
    analysis = replace(own, decision=decision)
    render_report(analysis)
    return analysis


def _beside(run_dir: Path, manifest: RunManifest) -> Iterator[Analysis]:
    """The runs that were measured beside it, as they were analysed last; those that are gone are left out."""
    for name in manifest.beside:
        if (run_dir.parent / name / files.MANIFEST).is_file():
            yield read_written(run_dir.parent / name)


def read_written(run_dir: Path) -> Analysis:
    """A run as it was analysed last: nothing is computed again.

    Raises:
        UsageError: no run directory, or one with a file that cannot be used; names file and key.
    """
    manifest = files.read_manifest(run_dir)
    has_metrics, is_priced = ((run_dir / name).exists() for name in ("metrics.json", "decision.json"))
    metrics = read_metrics(run_dir) if has_metrics else Metrics(steps=())
    return Analysis(run_dir, manifest, metrics, read_decision(run_dir) if is_priced else None)


def set_beside(done: Sequence[Analysis]) -> None:
    """Write into each of these runs that the others were measured beside it, and its report with them in it."""
    for one in done:
        others = tuple(other for other in done if other is not one)
        one.run.beside = [other.run_dir.name for other in others]
        files.write_manifest(one.run_dir, one.run)
        render_report(replace(one, beside=others))


def _as_measured(run_dir: Path) -> Analysis:
    """Another run's figures, unpriced; nothing is written."""
    manifest = files.read_manifest(run_dir)
    return Analysis(run_dir, manifest, metrics_of(run_dir, manifest), None, outcomes_in(run_dir, manifest))


def read_analysis(run_dir: Path) -> Analysis:
    """A run as it was analysed and priced, its figures computed again from its records where it has them.

    So an edited or outdated metrics.json says nothing. The decision is decision.json's as a whole, made with the
    prices and the goodput of its own day; a run that was never analysed is analysed first. Writes nothing else.

    Raises:
        UsageError: no run directory, or one with a file that cannot be used; names file and key.
    """
    manifest = files.read_manifest(run_dir)
    is_priced, has_metrics = ((run_dir / name).exists() for name in ("decision.json", "metrics.json"))
    if not has_metrics:
        return analyse_run(run_dir)
    metrics = metrics_of(run_dir, manifest) if has_rows(run_dir) else read_metrics(run_dir)
    decision = read_decision(run_dir) if is_priced else None
    if decision is not None:
        manifest = with_weights(manifest, _by_user(decision.weights), _by_user(decision.quantization))
    return Analysis(run_dir, manifest, metrics, decision, outcomes_in(run_dir, manifest))


def priced_for(run: Analysis, demand_file: Path | None, people: PeopleSaid | None) -> Analysis:
    """The run priced for another demand, against the APIs that it was asked for; nothing is written.

    Raises:
        UsageError: as `analyse_run`.
    """
    demand = choose_demand(run.run_dir, run.run, run.metrics, demand_file, people)
    if not _has_price(run.run) or demand is None:
        return run
    return replace(run, decision=build_decision(run.run, run.metrics, demand, run.run.arms))


def _has_price(manifest: RunManifest) -> bool:
    """Whether somebody said what the box is, or what an hour of it costs."""
    return bool(manifest.instance.get("id") or manifest.instance.get("usd_per_hour"))


def outcomes_in(run_dir: Path, manifest: RunManifest) -> Outcomes:
    """What came of each task of a task run; empty of any other.

    Raises:
        UsageError: a file of the run that cannot be read; names it.
    """
    scenario = scenario_of(run_dir, manifest)
    if not isinstance(scenario.prompts, TaskPrompts):
        return {}
    return outcomes_of(read_records(run_dir), read_judged(run_dir), read_steps(run_dir), scenario)


def scenario_of(run_dir: Path, manifest: RunManifest) -> Scenario:
    """What was driven.

    Raises:
        UsageError: run.json holds no whole scenario; names the key.
    """
    return validate(Scenario, manifest.scenario, where=f"{run_dir / files.MANIFEST}: scenario")


def _by_user(fact: SaidText | None) -> str | None:
    """What the user said when the run was priced."""
    return fact.value if fact is not None and fact.said_by == BY_USER else None


def metrics_of(run_dir: Path, manifest: RunManifest) -> Metrics:
    """The figures of metrics.json, computed from what was recorded.

    Raises:
        UsageError: a file of the run that cannot be read; names it.
    """
    if manifest.imported is not None and manifest.imported.rows == "none":
        return summary_metrics(run_dir, manifest.imported)
    records, impossible = without_impossible(read_load(run_dir))
    scenario = scenario_of(run_dir, manifest)
    steps = read_steps(run_dir)
    if not steps and len(records):
        raise UsageError(
            f"{run_dir / files.STEPS} holds no step: nobody can tell which load the {len(records)} records belong to"
        )
    client = read_client(run_dir)
    driven = driven_of(manifest, client)
    server = server_side(read_server_metrics(run_dir), manifest.engine.get("name"), driven.urls)
    metrics = compute_metrics(records, steps, scenario, read_arrivals(run_dir), server, driven, read_judged(run_dir))
    metrics = without_lateness(metrics, manifest.imported)
    return with_checks(metrics, Measured(records, client, manifest, scenario, server, impossible))


def _shape_runs(manifest: RunManifest, metrics: Metrics, others: Sequence[Path]) -> list[BusyRun]:
    """Busy seconds and tokens of this run and of those that were served by the same thing."""
    served = [metrics]
    for run_dir in others:
        if (run_dir / "metrics.json").exists() and _served_by(files.read_manifest(run_dir)) == _served_by(manifest):
            served.append(read_metrics(run_dir))
    return [run for run in map(busy_run, served) if run is not None]


def _served_by(manifest: RunManifest) -> tuple[Any, ...]:
    engine = manifest.engine
    box = (manifest.instance.get("id"), InstanceFacts.model_validate(manifest.instance).instances)
    return (engine.get("name"), engine.get("version"), manifest.model, manifest.quantization, *box)
