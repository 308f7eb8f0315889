"""The report, put together: `build_report` reads run.json, the figures and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.base.rounding import significant
from harness.report.charts.cost import cost_chart
from harness.report.charts.goodput import goodput_chart
from harness.report.charts.load import load_charts
from harness.report.measured.search import search_blocks, search_end
from harness.report.measured.server import server_blocks
from harness.report.measured.steps import console_steps_table, measured_line, slo_words, steps_table
from harness.report.measured.time import time_blocks
from harness.report.model import Block, Checks, Panel, Report, Section, Text
from harness.report.money.arms import arms_table
from harness.report.money.bill import bill_table, options_table, projection_table, regions_table, success_table
from harness.report.money.doubt import doubt_blocks
from harness.report.money.money import console_arms_table, needed_table, volume_table
from harness.report.money.tokens import per_mtok_table, splits_table
from harness.report.text import clean, count
from harness.report.trust.provenance import provenance_blocks
from harness.report.verdict import gather_checks, headline, notices, verdict_note, verdicts
from harness.rundir.decision import Decision
from harness.rundir.results import Metrics
from harness.scenario import Slo


def build_report(run_dir: Path, run: Mapping[str, Any], metrics: Metrics, decision: Decision | None) -> Report:
    """Everything the printers print, in reading order. Absent parts are said, never left out."""
    checks = gather_checks(metrics, decision)
    stops = notices(run, checks)
    sections = [
        Section("needed", "Measured beside needed", _needed(decision)),
        Section("volume", "Cost against volume", _volume(decision)),
        Section("arms", "The arms, a month and per task", _arms(decision)),
        Section("load", "Throughput and latency against load", _load(run, metrics)),
        *_over_time(metrics),
        *_search(run, metrics),
        *_server(metrics),
        Section("tokens", "What a million tokens costs", _tokens(decision)),
        *_extras(decision),
        Section("checks", "Checks", (_checks(checks),)),
        Section("method", "Method and provenance", provenance_blocks(run_dir, run, metrics, decision)),
    ]
    return Report(
        title=_title(run),
        headline=headline(decision, trusted=not any(check.level == "error" for check in stops)),
        facts=_facts(run, metrics),
        notices=stops,
        verdicts=verdicts(decision),
        verdict_note=verdict_note(decision),
        sections=tuple(sections),
        measured=measured_line(metrics),
        search=search_end(run),
        console_table=console_steps_table(metrics) if decision is None else console_arms_table(decision),
        warnings=tuple(check for check in checks.items if check.level != "error"),
    )


_NOT_PRICED = Text("Nothing was priced: `breakeven report RUN --api PROVIDER:MODEL --demand FILE` adds it.", "muted")

_WHAT_IF = Panel(
    "what-if",
    "In report.html, with scripts on: every input of the decision as a field and a slider; "
    "verdict and chart are computed again as it moves.",
)


def _needed(decision: Decision | None) -> tuple[Block, ...]:
    if decision is None:
        return (_NOT_PRICED,)
    chart = goodput_chart(decision)
    return (*((chart,) if chart else ()), needed_table(decision))


def _volume(decision: Decision | None) -> tuple[Block, ...]:
    if decision is None:
        return (_NOT_PRICED,)
    table = volume_table(decision)
    return (cost_chart(decision), *((table,) if table else ()))


def _arms(decision: Decision | None) -> tuple[Block, ...]:
    if decision is None:
        return (_NOT_PRICED,)
    bill = bill_table(decision)
    return (arms_table(decision), *((bill,) if bill else ()))


def _extras(decision: Decision | None) -> list[Section]:
    """Sections that only a priced run has; what would change the answer only one with a volume."""
    if decision is None:
        return []
    bought = (options_table(decision), regions_table(decision), projection_table(decision))
    change = (*doubt_blocks(decision), *(table for table in bought if table is not None))
    return [
        *([Section("change", "What would change the answer", change)] if change else []),
        Section("what-if", "What if", (_WHAT_IF,)),
        Section("solved", "Cost per successful task", (success_table(decision),)),
    ]


def _load(run: Mapping[str, Any], metrics: Metrics) -> tuple[Block, ...]:
    slo = Slo.model_validate((run.get("scenario") or {}).get("slo") or {})
    if not metrics.steps:
        return (Text("No load step was finished, so there is nothing to draw.", "bad"),)
    words = Text(
        f"SLO: {slo_words(slo)}. Filled: within the SLO. Cross: the SLO broke there. "
        "Ring: too few samples for that percentile, or the SLO could not be judged. "
        "Dashed upright: the step that gives the goodput; the broad strokes are its 95 % intervals."
    )
    return (words, *load_charts(metrics, slo), steps_table(metrics))


def _over_time(metrics: Metrics) -> list[Section]:
    """Left out where too little ran to be drawn."""
    blocks = time_blocks(metrics)
    return [Section("time", "The run over time", blocks)] if blocks else []


def _search(run: Mapping[str, Any], metrics: Metrics) -> list[Section]:
    blocks = search_blocks(run, metrics)
    return [Section("search", "How the search went", blocks)] if blocks else []


def _server(metrics: Metrics) -> list[Section]:
    """Left out for a run that was analysed before the server's account was kept."""
    blocks = server_blocks(metrics)
    return [Section("server", "What the server says of itself", blocks)] if blocks else []


def _tokens(decision: Decision | None) -> tuple[Block, ...]:
    tables = (per_mtok_table(decision), splits_table(decision)) if decision is not None else ()
    shown = tuple(table for table in tables if table is not None)
    if not shown:
        return (Text("No price per million tokens: no instance price, or no step with tokens.", "muted"),)
    return shown


def _checks(checks: Checks) -> Block:
    return checks if checks.items else Text("No check found anything.", "good")


def _title(run: Mapping[str, Any]) -> str:
    scenario = (run.get("scenario") or {}).get("name")
    parts = [clean(scenario or "run"), _engine(run), _model(run.get("model")), _instance(run)]
    return " · ".join(part for part in parts if part)


def _engine(run: Mapping[str, Any]) -> str:
    engine = run.get("engine") or {}
    named = " ".join(clean(engine[key]) for key in ("name", "version") if engine.get(key))
    return named or clean(run.get("backend") or "")


def _model(model: Any) -> str:
    """A model's short name: the last part of a path or of `organisation/name`."""
    return clean(str(model).rstrip("/").rsplit("/", 1)[-1]) if model else "model unknown"


def _instance(run: Mapping[str, Any]) -> str:
    identity = (run.get("instance") or {}).get("id")
    return clean(identity) if identity else ""


def _facts(run: Mapping[str, Any], metrics: Metrics) -> tuple[tuple[str, str], ...]:
    requests = sum(step.requests for step in metrics.steps)
    loop = (((run.get("scenario") or {}).get("load") or {}).get("kind")) or "load"
    step, shape = metrics.decisive, ""
    if step is not None and step.mean_output_tokens is not None:
        shape = f"{significant(step.mean_input_tokens)} in / {significant(step.mean_output_tokens)} out tokens"
    facts = [
        ("scenario", clean((run.get("scenario") or {}).get("name") or "unnamed")),
        ("engine", _engine(run) or "unknown"),
        ("model", clean(run.get("model") or "unknown")),
        ("instance", _instance(run) or "unknown"),
        ("load", f"{clean(loop)}, {count(len(metrics.steps), 'step')}, {count(requests, 'request')}"),
        ("request", shape),
        ("SLO", slo_words(Slo.model_validate((run.get("scenario") or {}).get("slo") or {}))),
        ("measured", clean(run.get("started_at") or "at an unknown time")),
    ]
    return tuple((what, value) for what, value in facts if value)
