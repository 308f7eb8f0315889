"""The run over time as blocks: the drawing, and the same step by step in numbers."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.rounding import NA, significant, whole
from harness.report.charts.time import time_chart
from harness.report.measured.steps import LOAD, STEP
from harness.report.model import Block, Cell, Table, Text, table_of
from harness.report.text import count
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step
from harness.rundir.timeline import Timeline


def time_blocks(metrics: Metrics) -> tuple[Block, ...]:
    """Drawing and table; nothing where too little ran to be drawn."""
    chart, timeline = time_chart(metrics), metrics.timeline
    if chart is None or timeline is None:
        return ()
    words = Text(
        f"Each level stroke is {count(round(timeline.bin_s), 'second')}. A stall is a hole in the upper line while "
        "the lower one stays; a drift is a slope inside a window; a cold start is a slope before it."
    )
    return (words, chart, _table(metrics.steps, timeline))


def _table(steps: Sequence[Step], timeline: Timeline) -> Table:
    return table_of(
        "The same by step: lowest and highest value inside the window",
        [step for step in steps if step.phases is not None],
        STEP,
        LOAD,
        ("phases", None, _phases),
        ("output", "tok/s", lambda step: _span(timeline, timeline.output_tokens_per_s, step.window)),
        ("in flight", "", lambda step: _span(timeline, timeline.in_flight, step.window)),
        ("failed", "", lambda step: whole(step.failed)),
        ("stalls", None, lambda step: _stalls(timeline, step)),
    )


def _phases(step: Step) -> str:
    if step.phases is None:
        return NA
    phases = step.phases
    named = {"enter": phases.enter, "warm-up": phases.warmup, "window": phases.window, "hold": phases.hold}
    lengths = [f"{name} {significant(p.length_s)} s" for name, p in named.items() if p is not None and p.length_s > 0]
    return f"from {phases.enter.start_s:.0f} s: {', '.join(lengths)}"


def _span(timeline: Timeline, values: Sequence[float], window: WindowOfStep) -> str:
    """`41.0 to 55.3` over the bins that lie wholly inside."""
    inside = [
        value
        for i, value in enumerate(values)
        if timeline.start_s + i * timeline.bin_s >= window.start_s
        and timeline.start_s + (i + 1) * timeline.bin_s <= window.end_s
    ]
    return f"{significant(min(inside))} to {significant(max(inside))}" if inside else NA


def _stalls(timeline: Timeline, step: Step) -> Cell:
    mine = [stall for stall in timeline.stalls if stall.step == step.step]
    said = ", ".join(f"{stall.length_s:.1f} s at {stall.start_s:.0f} s" for stall in mine[:3])
    return Cell(said + (f", {len(mine)} in all" if len(mine) > 3 else ""), tone="warn") if mine else Cell("none")
