"""The report, put together: `build_report` reads a run's files."""

from collections.abc import Iterable
from dataclasses import replace

from harness.base.rounding import significant
from harness.report.charts.cost import cost_chart
from harness.report.charts.goodput import goodput_chart
from harness.report.charts.load import load_charts
from harness.report.compare.page import beside_blocks
from harness.report.glossary import with_glossary
from harness.report.measured.latency import latency_blocks
from harness.report.measured.replicas import replicas_table
from harness.report.measured.server import server_blocks
from harness.report.measured.steps import measured_line, search_blocks, search_end, slo_words, steps_table
from harness.report.measured.tasks import solved_words, task_blocks
from harness.report.measured.terminal import console_steps_table, load_plots
from harness.report.measured.time import time_blocks
from harness.report.measured.turns import turn_blocks
from harness.report.model import Block, Report, RunFiles, Section, Text, section
from harness.report.money.arms import arms_table
from harness.report.money.bill import bill_table, options_table, projection_table, regions_table
from harness.report.money.doubt import doubt_blocks
from harness.report.money.money import console_arms_table, needed_table, per_mtok_table, splits_table, volume_table
from harness.report.money.solved import solved_blocks
from harness.report.money.whatif import what_if_panel
from harness.report.text import clean, count, per_task, price
from harness.report.trust.imported import imported_blocks
from harness.report.trust.provenance import provenance_blocks
from harness.report.verdict import demand_facts, errors_of, gather_checks, headline, notices, verdict_note, verdicts
from harness.rundir.decision import Decision
from harness.rundir.results import Metrics
from harness.scenario import Slo
from harness.scenario.tasks import TaskPrompts


def build_report(files: RunFiles) -> Report:
    """Everything the printers print, in reading order; what there is nothing to say of is left out."""
    metrics, decision = files.metrics, files.decision
    checks = gather_checks(metrics, decision)
    stops = notices(checks, is_partial=files.run.partial)
    nothing_found = Text("No check found anything.", "good")
    measured = (
        section("imported", "What another tool measured", *imported_blocks(files.run.imported)),
        section("load", "Throughput and latency against load", *_load(files)),
    )
    below = (
        section("engines", "The engines side by side", *beside_blocks((files, *files.beside))),
        section("turns", "Conversations, turn by turn", *turn_blocks(metrics)),
        section("time", "The run over time", *time_blocks(metrics)),
        section("search", "How the search went", *search_blocks(files.run.client, metrics)),
        section("server", "What the server says of itself", *server_blocks(metrics)),
        section("tokens", "What a million tokens costs", *token_blocks(decision)),
        doubt_section(decision),
        section("solved", SOLVED, *_solved(files)),
        section("checks", "Checks", checks if checks.items else nothing_found),
        section("method", "Method and provenance", *provenance_blocks(files)),
    )
    report = Report(
        title=_title(files),
        headline=headline(decision, errors_of(stops), unpriced=_why_unpriced(files)),
        facts=_facts(files),
        notices=stops,
        verdicts=verdicts(decision),
        verdict_note=verdict_note(decision),
        sections=(
            *filled(priced_sections(decision, metrics, files.scenario.slo)),
            *(filled(measured) if decision is None else folded(filled(measured))),  # without a price it is the answer
            *folded(filled(below)),
        ),
        measured=_measured(files),
        search=search_end(files.run.client),
        console_first=console_steps_table(metrics, files.scenario.slo),
        plots=load_plots(metrics, files.scenario.slo),
        console_table=None if decision is None else console_arms_table(decision),
        warnings=tuple(check for check in checks.items if check.level != "error"),
    )
    return with_glossary(report)


SOLVED = "Cost per successful task"
_NOT_PRICED = Text(
    "`breakeven run ... --instance ID` prices a run, or `--usd-per-hour USD` where no list has it.", "muted"
)


def priced_sections(decision: Decision | None, metrics: Metrics | None = None, slo: Slo | None = None) -> list[Section]:
    """What stays open: the numbers to move, and what they come to; a run without a price says so."""
    if decision is None:
        return [section("needed", "Measured, not priced", _NOT_PRICED)]
    needed = f"{decision.self_host.origin.capitalize()} beside needed"
    return [
        section("what-if", "What if", what_if_panel(decision, metrics, slo)),
        section("needed", needed, goodput_chart(decision), needed_table(decision)),
        section("volume", "Cost against volume", cost_chart(decision), volume_table(decision)),
        section("arms", "The arms, a month and per task", arms_table(decision), bill_table(decision)),
    ]


def doubt_section(decision: Decision | None) -> Section:
    """What would change the answer, and other ways to buy the same; empty without a price."""
    blocks: tuple[Block | None, ...] = ()
    if decision is not None:
        bought = (options_table(decision), regions_table(decision), projection_table(decision))
        blocks = (*doubt_blocks(decision), *bought)
    return section("change", "What would change the answer", *blocks)


def filled(sections: Iterable[Section]) -> tuple[Section, ...]:
    """Those that say anything."""
    return tuple(part for part in sections if part.blocks)


def folded(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The same, closed until they are opened: what defends the answer."""
    return tuple(replace(part, folded=True) for part in sections)


def _solved(files: RunFiles) -> tuple[Block | None, ...]:
    """What the tasks came to, and what a successful one costs; a run without tasks has what its demand assumes."""
    tasks, prompts = files.metrics.tasks, files.scenario.prompts
    measured = task_blocks(tasks, prompts.own_attempts) if isinstance(prompts, TaskPrompts) else ()
    return (*measured, *_spent(files), *(() if files.decision is None else solved_blocks(files.decision)))


def _spent(files: RunFiles) -> tuple[Text, ...]:
    """What an API that was driven took for a solved task, by its own usage."""
    driven, tasks = files.run.driven, files.metrics.tasks
    if driven is None or tasks is None:
        return ()
    each = (
        f"USD {per_task(driven.spent_usd / tasks.solved)} a successful task" if tasks.solved else "no task was solved"
    )
    return (Text(f"{clean(driven.arm)} took USD {price(driven.spent_usd)} by its own usage: {each}."),)


def _load(files: RunFiles) -> tuple[Block | None, ...]:
    metrics, slo = files.metrics, files.scenario.slo
    if not metrics.steps:
        return (Text("No load step was finished, so there is nothing to draw.", "bad"),)
    words = Text(
        f"SLO: {slo_words(slo)}. Filled: within the SLO. Cross: the SLO broke there. "
        "Ring: too few samples for that percentile, or the SLO could not be judged. "
        "Dashed upright: the step that gives the goodput; the broad strokes are its 95 % intervals."
    )
    return (
        words,
        *load_charts(metrics, slo),
        steps_table(metrics),
        *latency_blocks(metrics, slo),
        replicas_table(metrics),
    )


def token_blocks(decision: Decision | None) -> tuple[Block | None, ...]:
    """What a million tokens costs; nothing where there is no price, or no step with tokens that counts."""
    return () if decision is None else (per_mtok_table(decision), splits_table(decision))


def _measured(files: RunFiles) -> str:
    """The run in one line, its tasks first where it had some."""
    tasks = files.metrics.tasks
    return " · ".join(([] if tasks is None else [solved_words(tasks)]) + [measured_line(files.metrics)])


def _why_unpriced(files: RunFiles) -> str:
    """Why a run without a decision has none."""
    box = files.run.instance
    if box.get("id") or box.get("usd_per_hour"):
        return "no request tells how many tokens a task has"
    return "nobody said what was rented, or what an hour of it costs"


def _title(files: RunFiles) -> str:
    parts = [files.scenario.name, _engine(files), _model(files.run.model), files.instance]
    return " · ".join(part for part in parts if part)


def _engine(files: RunFiles) -> str:
    return files.engine or clean(files.run.backend)


def _model(model: str | None) -> str:
    """A model's short name: the last part of a path or of `organisation/name`."""
    return clean(model.rstrip("/").rsplit("/", 1)[-1]) if model else "model unknown"


def _facts(files: RunFiles) -> tuple[tuple[str, str], ...]:
    run, scenario, metrics = files.run, files.scenario, files.metrics
    requests = sum(step.requests for step in metrics.steps)
    step, shape, unit = metrics.decisive, "", "step" if metrics.tasks is None else "round"
    if step is not None and step.mean_output_tokens is not None:
        shape = f"{significant(step.mean_input_tokens)} tokens in, {significant(step.mean_output_tokens)} out"
    priced = demand_facts(files.decision)
    facts = [
        ("scenario", scenario.name),
        ("engine", _engine(files)),
        ("model", clean(run.model or "unknown")),
        ("instance", files.instance or "unknown"),
        ("load", f"{scenario.load.kind}, {count(len(metrics.steps), unit)}, {count(requests, 'request')}"),
        ("request", "" if ("a task", shape) in priced else shape),
        ("SLO", slo_words(scenario.slo)),
        *priced,
        ("measured", clean(run.started_at)),
        ("measured by", "" if run.imported is None else clean(run.imported.words)),
    ]
    return tuple((what, value) for what, value in facts if value)
