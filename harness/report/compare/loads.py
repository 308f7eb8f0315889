"""The same load, side by side: curves over load of all runs, and a table of what several were driven at."""

from collections.abc import Callable, Mapping, Sequence

from harness.base.rounding import significant, whole
from harness.report.charts.cost import ARM_COLOURS
from harness.report.charts.load import goodput_ends, latency_points, latency_unit, load_unit, points_of
from harness.report.charts.panel import Panel, Point, Series, draw
from harness.report.compare.runs import Comparison
from harness.report.measured.steps import percentile_cell
from harness.report.model import Block, Cell, Chart, Table, Text, table_of
from harness.report.text import duration
from harness.rundir.results import Step


def load_blocks(comparison: Comparison) -> tuple[Block, ...]:
    """Curves over load of all runs, and a table of the loads that several were driven at."""
    charts = comparison_charts(comparison)
    table = equal_loads_table(comparison)
    if table is None and not charts:
        return (Text("No load step was finished.", "bad"),)
    missing = Text("No load was driven in more than one run.", "muted")
    return (*charts, table if table is not None else missing)


def comparison_charts(comparison: Comparison) -> list[Chart]:
    """Output rate, goodput and median first token over load, a curve per run."""
    steps = [run.metrics.loads for run in comparison.runs]
    unit = load_unit([step for some in steps for step in some])
    firsts = [s.ttft_s.p50 or 0.0 for some in steps for s in some]
    factor, time_unit = latency_unit(max(firsts, default=0.0))
    css = [f"arm-{i % ARM_COLOURS}" for i in range(len(steps))]
    output = [points_of(some, lambda s: s.output_tokens_per_s) for some in steps]
    good = [points_of(some, lambda s: s.goodput_requests_per_s, ends=goodput_ends) for some in steps]
    ttft = [latency_points(some, "ttft", "p50", factor) for some in steps]
    legend = tuple(zip(css, comparison.labels, strict=True))

    def panel(name: str, title: str, what: str, curves: Sequence[tuple[Point, ...]]) -> Panel:
        series = tuple(Series(*one) for one in zip(comparison.labels, css, curves, strict=True))
        return Panel(f"compare-{name}", title, what, unit, series)

    panels = (
        panel("output", "Output tokens per second", "tok/s", output),
        panel("goodput", "Requests per second within the SLO", "req/s", good),
        panel("ttft", "Time to first token, median", time_unit, ttft),
    )
    drawn = [draw(one, legend=legend) for one in panels]
    return [chart for chart in drawn if chart is not None]


def equal_loads_table(comparison: Comparison) -> Table | None:
    """Loads that at least two runs were driven at: output rate and median first token of each."""
    by_load = [{s.load.size: s for s in run.metrics.loads if s.load.size} for run in comparison.runs]
    shared = sorted(load for load in {key for one in by_load for key in one} if sum(load in one for one in by_load) > 1)
    if not shared:
        return None
    return table_of(
        "Output tokens per second at the same load",
        shared,
        ("load", None, lambda load: next(one[load] for one in by_load if load in one).load.words),
        *((label, "tok/s", _at_load(one)) for label, one in zip(comparison.labels, by_load, strict=True)),
        notes=("Beneath the output rate: time to first token, median, and its sample count.",),
    )


def _at_load(steps: Mapping[float, Step]) -> Callable[[float], Cell]:
    def cell(load: float) -> Cell:
        if load not in steps:
            return Cell("not driven", tone="muted")
        step = steps[load]
        first = percentile_cell(step.ttft_s, "p50", duration).text
        return Cell(significant(step.output_tokens_per_s), note=f"{first}, n {whole(step.ttft_s.n)}")

    return cell
