"""Goodput measured beside goodput needed: one axis, the measured interval as a band, a mark per API."""

from dataclasses import dataclass

from markupsafe import Markup

from harness.base.rounding import significant
from harness.report.charts import svg
from harness.report.charts.cost import arm_css
from harness.report.model import Chart
from harness.report.text import clean, interval, price, rate
from harness.rundir.decision import Box, Decision
from harness.rundir.results import Goodput

_TOP, _BELOW = 30, 40
_NAMES = 280  # units for names at the left, at most


def goodput_chart(decision: Decision) -> Chart | None:
    """The drawing, or None when no arm needs any."""
    needed = [
        (clean(arm.name), arm_css(i), value)
        for i, arm in enumerate(decision.arms)
        if (value := arm.decision.min_goodput_requests_per_s)
    ]
    if not needed:
        return None
    title = f"Goodput {decision.self_host.origin} beside goodput needed, requests per second of one instance"
    alt = _described(decision, needed)
    return Chart(
        name="goodput",
        title=title,
        alt=alt,
        wide=_draw(WIDE, decision.self_host, needed, alt),
        narrow=_draw(NARROW, decision.self_host, needed, alt),
    )


_Needed = list[tuple[str, str, float]]


def _described(decision: Decision, needed: _Needed) -> str:
    goodput = decision.self_host.goodput
    first = f"No goodput: {decision.self_host.no_goodput}"
    if goodput is not None:
        first = f"{decision.self_host.origin.capitalize()} {rate(goodput.requests_per_s)}"
    if goodput is not None and goodput.low is not None:
        first += f" ({interval(goodput.low, goodput.high)})"
    return f"{first}. Needed: " + "; ".join(f"{rate(value)} against {name}" for name, _, value in needed) + "."


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of one drawing; a narrow one has the names above their lines."""

    name: str
    width: int
    row: int
    most: int  # ticks
    beside: bool  # names and needs stand beside the axis


WIDE = Layout("wide", 980, 26, 8, beside=True)
NARROW = Layout("narrow", 340, 42, 5, beside=False)


def _draw(layout: Layout, box: Box, needed: _Needed, alt: str) -> str:
    goodput = box.goodput
    height = _TOP + layout.row * len(needed) + _BELOW
    ends = () if goodput is None else (goodput.requests_per_s, goodput.low, goodput.high)
    values = [value for *_, value in needed] + [value for value in ends if value]
    left, right = _margins(layout, needed)
    x = svg.Scale(
        svg.round_down(min(values) / 1.5), svg.round_up(max(values) * 1.5), left, layout.width - right, log=True
    )
    bottom = float(height - _BELOW)
    rows = [_TOP + layout.row * (i + 1) - 12.0 for i in range(len(needed))]
    ticks = svg.across(x, price, layout.most, (0, layout.width))
    title = f"{'requests per second' if layout.beside else 'req/s'} of one instance (log scale)"
    parts = [*svg.level_axis(x, bottom, ticks, title), *_measured(layout, x, bottom, rows, goodput, box.origin)]
    measured = None if goodput is None else goodput.requests_per_s
    for y, (arm, css, value) in zip(rows, needed, strict=True):
        parts += _arm_row(layout, x, y, arm, css, value, measured)
    title = f"Goodput {box.origin} beside goodput needed"
    return svg.document(layout.width, height, title, alt, parts, id_=f"goodput-{layout.name}")


def _needs(value: float) -> str:
    return f"needs {significant(value)}"


def _margins(layout: Layout, needed: _Needed) -> tuple[float, float]:
    """Room at the left for the names, and at the right for what each needs."""
    if not layout.beside:
        return 12.0, 14.0
    names = svg.room_for([name for name, *_ in needed], bold=True)
    return min(names, _NAMES) + 20, svg.room_for([_needs(value) for *_, value in needed]) + 20


def _measured(
    layout: Layout, x: svg.Scale, bottom: float, rows: list[float], goodput: Goodput | None, origin: str
) -> list[Markup]:
    if goodput is None or goodput.requests_per_s is None:
        return [svg.text(x.start, 16, "measured: no goodput", "own-label")]
    parts = []
    measured, low, high = goodput.requests_per_s, goodput.low, goodput.high
    if low is not None and high is not None and high > 0:
        start = x(max(low, x.low))
        width, height = max(x(high) - start, 1.0), bottom - _TOP + 8
        parts.append(svg.rect(start, _TOP - 8.0, width, height, "measured-band"))
    # in a narrow drawing the names lie across: the line is only where it meets a row
    spans = [(_TOP - 8.0, bottom)] if layout.beside else [(y - 7, y + 7) for y in rows]
    parts += [svg.line((x(measured), top), (x(measured), foot), "measured-line") for top, foot in spans]
    words = f"{origin} {rate(measured)}"
    parts.append(svg.text(svg.centred(words, x(measured), x.start, x.end), 16, words, "measured-label"))
    return parts


def _arm_row(
    layout: Layout, x: svg.Scale, y: float, arm: str, css: str, value: float, measured: float | None
) -> list[Markup]:
    place, label = x(value), _needs(value)
    if layout.beside:
        name = svg.fitted(arm, x.start - 14, bold=True)
        names = [
            svg.text(x.start - 12, y + 4, name, f"end-label {css}", "end"),
            svg.text(x.end + 12, y + 4, label, "tick need-label"),
        ]
    else:
        name = svg.fitted(arm, x.end - x.start - svg.width_of(label) - 10, bold=True)
        names = [
            svg.text(x.start, y - 11, name, f"end-label {css}"),
            svg.text(x.end, y - 11, label, "tick need-label", "end"),
        ]
    gap = [] if measured is None else [svg.line((x(measured), y), (place, y), f"gap {css}")]
    diamond = f"M{place:.2f} {y - 6:.2f}l6 6l-6 6l-6 -6z"
    mark = svg.element("path", d=diamond, class_=f"need {css}", data_needed=repr(value))
    return [svg.line((x.start, y), (x.end, y), "grid"), *gap, *names, mark]
