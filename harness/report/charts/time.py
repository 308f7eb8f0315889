"""The run over time: output tokens/s above requests in flight, phases shaded, failures and stalls marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from harness.base.rounding import significant
from harness.report.charts import svg
from harness.report.model import Chart
from harness.report.text import count, price
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step
from harness.rundir.timeline import Timeline

_TOP, _PANEL, _BETWEEN, _BELOW = 42, 130, 34, 46
_LEVELS = 5  # values on an upright axis, about
_STRIP = 6  # of a phase, at the foot of both panels
_LEGEND = (
    ("phase-enter", "enter"),
    ("phase-warmup", "warm-up"),
    ("phase-window", "window, the part that is counted"),
    ("phase-hold", "hold"),
)


def time_chart(metrics: Metrics) -> Chart | None:
    """The drawing; None where there are not two bins to draw."""
    timeline = metrics.timeline
    if timeline is None or len(timeline.in_flight) < 2:
        return None
    title, alt = "The run over time", _described(timeline)
    shown = {name for step in metrics.steps for name, _ in _phases_of(step)}
    legend = tuple((css, words) for css, words in _LEGEND if css.removeprefix("phase-") in shown)
    if any(timeline.failed):
        legend += (("mark-failed", "crosses: failed requests"),)
    if timeline.stalls:
        legend += (("mark-stall", "red band: the server stalled"),)
    return Chart(
        name="time",
        title=title,
        alt=alt,
        wide=_draw("wide", 980, timeline, metrics.steps, alt),
        narrow=_draw("narrow", 340, timeline, metrics.steps, alt),
        legend=legend,
        always_legend=True,
    )


def _described(timeline: Timeline) -> str:
    tokens, busy = timeline.output_tokens_per_s, timeline.in_flight
    parts = [
        f"From second {significant(timeline.start_s)} to {significant(timeline.end_s)}, "
        f"{_bin(timeline)} at a time: output up to {significant(max(tokens))} tok/s, "
        f"up to {significant(max(busy))} requests in flight."
    ]
    if any(timeline.failed):
        first = next(i for i, failed in enumerate(timeline.failed) if failed)
        second = timeline.start_s + first * timeline.bin_s
        parts.append(f"{count(sum(timeline.failed), 'request')} failed, from second {significant(second)} on.")
    parts += [f"The server stalled at second {s.start_s:.1f} for {s.length_s:.1f} s." for s in timeline.stalls[:5]]
    if len(timeline.stalls) > 5:
        parts.append(f"It stalled {len(timeline.stalls)} times in all.")
    return " ".join(parts)


def _bin(timeline: Timeline) -> str:
    return count(round(timeline.bin_s), "second")


def _draw(name: str, width: int, timeline: Timeline, steps: Sequence[Step], alt: str) -> str:
    upper = svg.Scale(0.0, max(timeline.output_tokens_per_s) * 1.08 or 1.0, _TOP + _PANEL, _TOP)
    top = _TOP + _PANEL + _BETWEEN
    lower = svg.Scale(0.0, max(timeline.in_flight) * 1.08 or 1.0, top + _PANEL * 0.7, top)
    labels = [price(tick) for y in (upper, lower) for tick in y.ticks(_LEVELS)]
    x = svg.Scale(timeline.start_s, timeline.end_s, svg.room_for(labels) + 12, width - 14)
    parts = [*_names(x, steps)]
    for y in (upper, lower):
        parts += [*_phases(x, y, steps), *_stalls(x, y, timeline)]
    parts += [*_values(x, upper, "Output tokens per second", timeline.output_tokens_per_s, timeline, "self")]
    parts += [*_values(x, lower, "Requests in flight", timeline.in_flight, timeline, "series-p95")]
    parts += [*_failures(x, upper, timeline), *_seconds(x, lower, 10 if width > 500 else 5, width)]
    height = round(lower.start) + _BELOW
    return svg.document(width, height, "The run over time", alt, parts, id_=f"time-{name}")


def _names(x: svg.Scale, steps: Sequence[Step]) -> Iterator[Markup]:
    """Each step's number and load above it, or as much of it as there is room for."""
    free = x.start
    for step in steps:
        if step.phases is not None:
            begin = x(step.phases.enter.start_s)
            end = min(x(step.phases.hold.end_s if step.phases.hold else step.phases.window.end_s), x.end)
            ways = (f"step {step.number}: {step.load.words}", f"{step.number}: {step.load.words}", str(step.number))
            fitting = [words for words in ways if begin >= free and svg.width_of(words) + 8 <= end - begin]
            if fitting:
                yield svg.text(begin + 2, _TOP - 6, fitting[0], "tick")
                free = begin + svg.width_of(fitting[0]) + 8


def _phases(x: svg.Scale, y: svg.Scale, steps: Sequence[Step]) -> Iterator[Markup]:
    for step in steps:
        for name, phase in _phases_of(step):
            start, wide = x(phase.start_s), x(phase.end_s) - x(phase.start_s)
            yield svg.rect(start, y.end, wide, y.start - y.end, f"phase phase-{name}")
            yield svg.rect(start, y.start, wide, _STRIP, f"strip phase-{name}")


def _phases_of(step: Step) -> list[tuple[str, WindowOfStep]]:
    """The phases that took any time."""
    if (phases := step.phases) is None:
        return []
    named = (("enter", phases.enter), ("warmup", phases.warmup), ("window", phases.window), ("hold", phases.hold))
    return [(name, phase) for name, phase in named if phase is not None and phase.length_s > 0]


def _stalls(x: svg.Scale, y: svg.Scale, timeline: Timeline) -> Iterator[Markup]:
    for stall in timeline.stalls:
        wide = max(x(stall.end_s) - x(stall.start_s), 2.0)
        said = svg.element("title", f"stalled from second {stall.start_s:.1f} for {stall.length_s:.1f} s")
        yield svg.rect(x(stall.start_s), y.end, wide, y.start - y.end, "stall", said)


def _values(
    x: svg.Scale, y: svg.Scale, title: str, values: Sequence[float], timeline: Timeline, css: str
) -> Iterator[Markup]:
    """A line that stays level over each bin."""
    yield svg.text(4, y.end - (26 if y.end == _TOP else 10), title, "panel-title")
    yield from svg.level_grid(x, y, _LEVELS, price)
    yield svg.line((x.start, y.start), (x.end, y.start), "axis")
    points = []
    for i, value in enumerate(values):
        begin, end = _edges(timeline, i)
        points += [(x(begin), y(value)), (x(end), y(value))]
    yield svg.path(points, f"line over-time {css}")


def _edges(timeline: Timeline, place: int) -> tuple[float, float]:
    begin = timeline.start_s + place * timeline.bin_s
    return begin, timeline.end_s if place == len(timeline.in_flight) - 1 else begin + timeline.bin_s


def _failures(x: svg.Scale, y: svg.Scale, timeline: Timeline) -> Iterator[Markup]:
    for i, failed in enumerate(timeline.failed):
        if failed:
            begin, end = _edges(timeline, i)
            place = x((begin + end) / 2)
            said = svg.element("title", f"{count(failed, 'failed request')} at second {begin:g}")
            cross = f"M{place - 3:.2f} {y.start - 10:.2f}l6 6m0 -6l-6 6"
            yield svg.element("path", said, d=cross, class_="failed-step")


def _seconds(x: svg.Scale, y: svg.Scale, most: int, width: int) -> list[Markup]:
    return svg.level_axis(x, y.start + _STRIP, svg.across(x, price, most, (0, width)), "seconds since the run began")
