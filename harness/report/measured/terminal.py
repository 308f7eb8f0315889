"""What a terminal shows of the load steps: one table, as wide as there is room for, and two drawings."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.base.rounding import significant, whole
from harness.report.charts.load import load_panels
from harness.report.measured.latency import latency_unit
from harness.report.measured.steps import STEP, percentile_cell, round_words, slo_cell
from harness.report.model import Cell, Dot, Field, Plot, Table, table_of, with_spares
from harness.report.text import clean, count
from harness.rundir.results import Metrics, Step
from harness.scenario import Slo

_PERCENTILES = ("p50", "p90", "p95", "p99")
MOST_STEPS = 24  # rows; the slices of a replayed log may be many
_DRAWN = ("load-requests", "load-ttft")
_FEW, _UNSURE = "*", "?"  # behind a percentile, behind a verdict
# what a narrow terminal leaves out first; a percentile that the SLO is judged by always stays
_SPARE = {
    "window": 12, "E2E p95": 11, "E2E p50": 10, "TPOT p99": 9, "TTFT p99": 8, "in SLO": 7, "TPOT p95": 6, "step": 5,
    "TPOT p50": 4, "TTFT p95": 3, "tok/s": 2, "TTFT p50": 1,
}  # fmt: skip


def console_steps_table(metrics: Metrics, slo: Slo) -> Table | None:
    """Every load step; None where none was finished."""
    steps = metrics.steps
    if not steps:
        return None
    judged = {_title(limit.latency, limit.percentile) for limit in slo.limits()}
    latencies = [
        _latency(steps, kind, percentile)
        for kind in ("ttft", "tpot", "e2e")
        for percentile in _PERCENTILES
        if (title := _title(kind, percentile)) in judged or title in _SPARE
    ]
    shown = steps if len(steps) <= MOST_STEPS else [*steps[: MOST_STEPS // 2], *steps[-MOST_STEPS // 2 :]]
    table = table_of(
        "load steps, each counted over its steady window",
        shown,
        STEP,
        ("load", None, _load),
        ("requests", "", lambda step: whole(step.requests)),
        ("failed", "", lambda step: Cell(whole(step.failed), tone="bad" if step.failed else "")),
        ("req/s", "", lambda step: significant(step.requests_per_s)),
        ("in SLO", "", lambda step: significant(step.goodput_requests_per_s)),
        ("tok/s", "", lambda step: significant(step.output_tokens_per_s)),
        *latencies,
        ("window", "s", lambda step: significant(step.window.length_s)),
        ("SLO", None, _slo),
    )
    spare = {title: rank for title, rank in _SPARE.items() if title not in judged}
    return replace(with_spares(table, spare), notes=tuple(_notes(table, steps)))


def _notes(table: Table, steps: Sequence[Step]) -> Iterator[str]:
    left_out = len(steps) - len(table.rows)
    if left_out:
        yield f"{count(left_out, 'step')} between them: see the report"
    errors = Counter[str]()
    for error in (error for step in steps for error in step.errors or ()):
        errors[clean(error.kind)] += error.requests
    if errors:
        yield f"failed: {', '.join(f'{kind} x {n:,}' for kind, n in errors.most_common())}"
    ends = {cell.text[-1:] for row in table.rows for cell in row.cells}
    if _FEW in ends:
        yield f"{_FEW} rests on fewer samples than that percentile needs"
    if _UNSURE in ends:
        yield f"{_UNSURE} not surely: chance alone could turn it"


def _title(kind: str, percentile: str) -> str:
    return f"{kind.upper()} {percentile}"


def _latency(steps: Sequence[Step], kind: str, percentile: str) -> Field[Step]:
    unit, shown = latency_unit(steps, kind)

    def show(step: Step) -> Cell:
        cell = percentile_cell(step.latency(kind), percentile, shown)
        return replace(cell, text=cell.text + _FEW, note="") if cell.note else cell

    return _title(kind, percentile), unit, show


def _load(step: Step) -> str:
    return ", ".join(words for words in (step.load.words, round_words(step)) if words)


def _slo(step: Step) -> Cell:
    cell = slo_cell(step)
    return replace(cell, text=cell.text + _UNSURE, note="") if cell.note else cell


def load_plots(metrics: Metrics, slo: Slo) -> tuple[Plot, ...]:
    """Requests per second and time to first token against load; a run of one load has nothing to draw."""
    panels = [panel for panel in load_panels(metrics, slo) if panel.name in _DRAWN]
    judged = {limit.percentile for limit in slo.limits() if limit.latency == "ttft"} or {"p95"}
    plots = [
        Plot(
            panel.title,
            panel.unit,
            panel.load_unit,
            tuple(
                (series.label, tuple(Dot(p.load, p.value, p.slo_met) for p in series.points))
                for series in panel.series
                if panel.name != "load-ttft" or series.label in {"p50", *judged}
            ),
            panel.limits,
        )
        for panel in panels
    ]
    return tuple(plot for plot in plots if len({dot.load for _, dots in plot.curves for dot in dots}) > 1)
