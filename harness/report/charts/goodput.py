"""Goodput measured beside goodput needed: one axis, the measured interval as a band, a mark per API."""

from markupsafe import Markup

from harness.base.rounding import significant
from harness.report.charts import svg
from harness.report.charts.cost import arm_css
from harness.report.model import Chart
from harness.report.text import clean, interval, price, rate
from harness.rundir.decision import Box, Decision
from harness.rundir.results import Goodput

_ROW = 26
_TOP, _BELOW = 30, 40


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
        wide=_draw("wide", 980, 210, decision.self_host, needed, alt),
        narrow=_draw("narrow", 380, 0, decision.self_host, needed, alt),
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


def _draw(name: str, width: int, left: int, box: Box, needed: _Needed, alt: str) -> str:
    goodput = box.goodput
    row = _ROW if left else _ROW + 14  # a narrow drawing has the names above their lines
    height = _TOP + row * len(needed) + _BELOW
    measured = None if goodput is None else goodput.requests_per_s
    ends = () if goodput is None else (goodput.requests_per_s, goodput.low, goodput.high)
    values = [value for *_, value in needed] + [value for value in ends if value]
    x = svg.Scale(
        svg.round_down(min(values) / 1.5),
        svg.round_up(max(values) * 1.5),
        left or 12,
        width - (110 if left else 24),
        log=True,
    )
    bottom = float(height - _BELOW)
    parts = [*_axis(x, bottom, 8 if left else 5), *_measured(x, bottom, goodput, box.origin)]
    for i, (arm, css, value) in enumerate(needed):
        parts += _arm_row(x, _TOP + row * (i + 1) - 12, arm, css, value, measured, left)
    return svg.document(width, height, f"Goodput {box.origin} beside goodput needed", alt, parts, id_=f"goodput-{name}")


def _axis(x: svg.Scale, bottom: float, most: int) -> list[Markup]:
    parts = [svg.line((x.start, bottom), (x.end, bottom), "axis")]
    for tick in x.ticks(most):
        parts.append(svg.line((x(tick), bottom), (x(tick), bottom + 4), "axis"))
        parts.append(svg.text(x(tick), bottom + 17, price(tick), "tick", "middle"))
    parts.append(svg.text(x.end, bottom + 34, "requests per second of one instance (log scale)", "axis-title", "end"))
    return parts


def _measured(x: svg.Scale, bottom: float, goodput: Goodput | None, origin: str) -> list[Markup]:
    if goodput is None or goodput.requests_per_s is None:
        return [svg.text(x.start, 16, "measured: no goodput", "own-label")]
    parts = []
    measured, low, high = goodput.requests_per_s, goodput.low, goodput.high
    if low is not None and high is not None and high > 0:
        start = x(max(low, x.low))
        width, height = max(x(high) - start, 1.0), bottom - _TOP + 8
        parts.append(svg.rect(start, _TOP - 8.0, width, height, "measured-band"))
    parts.append(svg.line((x(measured), _TOP - 8), (x(measured), bottom), "measured-line"))
    anchor = "end" if x(measured) > (x.start + x.end) / 2 else "start"
    parts.append(svg.text(x(measured), 16, f"{origin} {rate(measured)}", "measured-label", anchor))
    return parts


def _arm_row(
    x: svg.Scale, y: float, arm: str, css: str, value: float, measured: float | None, left: int
) -> list[Markup]:
    place = x(value)
    shown = svg.cut(arm, 30)
    label = f"needs {significant(value)}"
    if left:
        away = measured is not None and value < measured
        names = [svg.text(left - 12, y + 4, shown, f"end-label {css}", "end"), _beside(place, y, label, x, away)]
    else:
        names = [svg.text(12, y - 9, f"{shown} {label}", f"end-label {css}")]
    gap = [] if measured is None else [svg.line((x(measured), y), (place, y), f"gap {css}")]
    diamond = f"M{place:.2f} {y - 6:.2f}l6 6l-6 6l-6 -6z"
    mark = svg.element("path", d=diamond, class_=f"need {css}", data_needed=repr(value))
    return [svg.line((x.start, y), (x.end, y), "grid"), *gap, *names, mark]


def _beside(place: float, y: float, label: str, x: svg.Scale, to_the_left: bool) -> Markup:
    """The label on the side away from the line to the measured value, where there is room for it."""
    left = place > x.end - 110 or (to_the_left and place > x.start + 80)
    return svg.text(place + (-10 if left else 10), y + 4, label, "tick need-label", "end" if left else "start")
