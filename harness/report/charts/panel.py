"""One drawing of curves over load: dots, crosses where the SLO broke, rings where samples were too few."""

from dataclasses import dataclass

from markupsafe import Markup

from harness.base.rounding import significant
from harness.report.charts import svg
from harness.report.model import Chart
from harness.report.text import price

WIDE, NARROW = ("wide", 470, 268), ("narrow", 340, 250)
TOP, BOTTOM = 34, 42
_LEVELS = 6  # values on the upright axis, about
_LOG_LOADS = 16  # largest over smallest load from which a straight axis hides the small ones
_LOG_VALUES = 48  # the same for values


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a load: whether the SLO held there, enough samples were behind it, and its interval."""

    load: float
    value: float
    slo_met: bool | None
    sure: bool = True
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """One curve, in order of load."""

    label: str
    css: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing: several curves over the same load axis, with limit lines."""

    name: str
    title: str
    unit: str
    load_unit: str
    series: tuple[Series, ...]
    limits: tuple[tuple[str, float], ...] = ()
    marked_load: float | None = None  # an upright line: the step that gives the goodput


def draw(panel: Panel, *, legend: tuple[tuple[str, str], ...] = ()) -> Chart | None:
    """The drawing; None when no curve has a point."""
    if not any(series.points for series in panel.series):
        return None
    alt = _described(panel)
    wide, narrow = (_drawing(panel, *size, alt, labelled=not legend) for size in (WIDE, NARROW))
    return Chart(panel.name, panel.title, alt, wide, narrow, legend, always_legend=True)


def _drawing(panel: Panel, name: str, width: int, height: int, alt: str, *, labelled: bool) -> str:
    y = _values(panel, height)
    names = [series.label for series in panel.series if series.points] if labelled else []
    right = svg.room_for([*names, *(_limit_words(panel, *limit) for limit in panel.limits)], bold=True) + 14
    x = _loads(panel, svg.room_for(map(price, y.ticks(_LEVELS))) + 12, width - max(right, 24))
    parts = [*_axes(panel, x, y, width), *_marked(panel, x, y)]
    parts += [svg.line((x.start, y(limit)), (x.end, y(limit)), "limit") for _, limit in panel.limits]
    for series in panel.series:
        parts += _curve(series, x, y)
    parts += _labels(panel, x, y, width - x.end - 9, labelled=labelled)
    return svg.document(width, height, panel.title, alt, parts, id_=f"{panel.name}-{name}")


def _described(panel: Panel) -> str:
    parts = []
    for series in panel.series:
        points = [point for point in series.points if point.sure]
        if not points and series.points:
            parts.append(f"{series.label}: too few requests at every load.")
        elif points:
            first, last = points[0], points[-1]
            parts.append(
                f"{series.label} {significant(first.value)} {panel.unit} at load {significant(first.load)}, "
                f"{significant(last.value)} {panel.unit} at load {significant(last.load)}."
            )
    parts += [f"{label} limit {significant(limit)} {panel.unit}." for label, limit in panel.limits]
    broken = sorted({p.load for series in panel.series for p in series.points if p.slo_met is False})
    if broken:
        parts.append(f"The SLO is broken at load {', '.join(significant(load) for load in broken)}.")
    return f"{panel.title} against {panel.load_unit}: {' '.join(parts)}"


def _loads(panel: Panel, start: float, end: float) -> svg.Scale:
    points = [point for series in panel.series for point in series.points]
    low, high = min(p.load for p in points), max(p.load for p in points)
    is_log = low > 0 and high / low >= _LOG_LOADS
    if low == high:
        low, high = low * 0.5, high * 1.5 or 1.0
    pad = 0.0 if is_log else (high - low) * 0.04
    return svg.Scale(low - pad, high + pad, start, end, log=is_log)


def _values(panel: Panel, height: int) -> svg.Scale:
    points = [point for series in panel.series for point in series.points]
    values = [p.value for p in points] + [limit for _, limit in panel.limits]
    values += [end for p in points if p.ends for end in p.ends]
    if min(values) > 0 and max(values) / min(values) > _LOG_VALUES:
        return svg.Scale(svg.round_down(min(values)), svg.round_up(max(values)), height - BOTTOM, TOP, log=True)
    return svg.Scale(0.0, max(values) * 1.08 or 1.0, height - BOTTOM, TOP)


def _axes(panel: Panel, x: svg.Scale, y: svg.Scale, width: int) -> list[Markup]:
    title = f"{panel.title}, {panel.unit}{', log' if y.log else ''}"
    parts = [svg.text(4, 14, title, "panel-title"), *svg.level_grid(x, y, _LEVELS, price)]
    labelled, free = [], 0.0
    for load in sorted({point.load for series in panel.series for point in series.points}):
        half = svg.width_of(f"{load:,.4g}") / 2
        parts.append(svg.line((x(load), y.start), (x(load), y.start + 4), "axis"))
        if x(load) - half >= free and x(load) + half <= width:
            labelled.append((x(load), f"{load:,.4g}"))
            free = x(load) + half + 6
    return [*parts, *svg.level_axis(x, y.start, labelled, panel.load_unit + (" (log scale)" if x.log else ""))]


def _marked(panel: Panel, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    if panel.marked_load is None:
        return []
    place = x(panel.marked_load)
    return [svg.line((place, y.end), (place, y.start), "own goodput-step")]


def _limit_words(panel: Panel, label: str, limit: float) -> str:
    return f"{label} {significant(limit)} {panel.unit}"


def _curve(series: Series, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    parts = []
    if len({p.load for p in series.points}) > 1:  # slices of a trace have one load: dots, no line
        parts.append(svg.path([(x(p.load), y(p.value)) for p in series.points], f"line {series.css}"))
    for p in series.points:
        if p.ends is not None:
            ends = (x(p.load), y(p.ends[0])), (x(p.load), y(p.ends[1]))
            parts.append(svg.line(*ends, f"whisker {series.css}"))
    return parts + [_marker(p, x(p.load), y(p.value), series.css) for p in series.points]


def _marker(point: Point, px: float, py: float, css: str) -> Markup:
    if point.slo_met is False:
        cross = f"M{px - 4:.2f} {py - 4:.2f}l8 8m0 -8l-8 8"
        return svg.element("path", d=cross, class_=f"failed-step {css}", data_step="failed")
    hollow = not point.sure or point.slo_met is None
    return svg.element("circle", cx=px, cy=py, r=3.4, class_=f"{'ring' if hollow else 'dot'} {css}")


def _labels(panel: Panel, x: svg.Scale, y: svg.Scale, room: float, *, labelled: bool) -> list[Markup]:
    """Beside the lines' ends: their names, and the limits."""
    ends = [(_limit_words(panel, name, limit), "limit-label", y(limit)) for name, limit in panel.limits]
    if labelled:
        ends += [(s.label, s.css, y(s.points[-1].value)) for s in panel.series if s.points]
    return svg.end_labels(x.end + 7, ends, 14, (y.end, y.start), room)
