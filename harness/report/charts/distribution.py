"""The distribution of a latency in each load step: which share of its requests took at most so long."""

from collections.abc import Sequence

from markupsafe import Markup

from harness.base.rounding import significant
from harness.base.stats import SHARES
from harness.base.units import MS_PER_S
from harness.report.charts import svg
from harness.report.charts.panel import NARROW, WIDE
from harness.report.model import Chart
from harness.report.text import price
from harness.rundir.results import Step
from harness.scenario import Slo

MOST_CURVES = 6  # classes curve-0 .. curve-5 of the style sheet, from the lightest load to the heaviest
_TOP, _BOTTOM = 52, 42
_SECONDS_FROM = 2  # a drawing whose largest latency is this many seconds is in s, else in ms
_LOG_FROM = 8  # largest over smallest value from which a straight axis hides the small ones
_TITLES = {"ttft": "Time to first token", "tpot": "Time per output token"}

_Curve = tuple[str, str, list[float]]
"""Class, words of the load, values at SHARES in the drawing's unit."""


def distribution_chart(steps: Sequence[Step], decisive: Step | None, kind: str, slo: Slo) -> Chart | None:
    """A curve a step; None where nothing was kept of any, as in figures of an older version."""
    told = [step for step in steps if step.quantiles_s(kind) and step.load.size]
    if not told:
        return None
    shown = chosen(sorted(told, key=lambda step: step.load.size), decisive)
    factor, unit = (1, "s") if max(max(s.quantiles_s(kind) or ()) for s in shown) >= _SECONDS_FROM else (MS_PER_S, "ms")
    curves = [
        (f"curve-{_shade(i, len(shown))}", f"step {step.number}: {step.load.words}", _scaled(step, kind, factor))
        for i, step in enumerate(shown)
    ]
    limits = [(limit.percentile, limit.seconds * factor) for limit in slo.limits() if limit.latency == kind]
    name, title = f"distribution-{kind}", f"{_TITLES[kind]}, share of requests"
    alt = _described(title, curves, unit, len(told))
    wide, narrow = (_draw(name, size, title, unit, curves, limits, alt) for size in (WIDE, NARROW))
    return Chart(name, title, alt, wide, narrow, tuple((css, words) for css, words, _ in curves), always_legend=True)


def chosen(steps: Sequence[Step], decisive: Step | None) -> list[Step]:
    """At most six: the lightest, the heaviest, the one that counts, others evenly between."""
    if len(steps) <= MOST_CURVES:
        return list(steps)
    places = {round(i * (len(steps) - 1) / (MOST_CURVES - 1)) for i in range(MOST_CURVES)}
    wanted = next((i for i, step in enumerate(steps) if decisive is not None and step.step == decisive.step), None)
    if wanted is not None and wanted not in places:
        inner = sorted(places - {0, len(steps) - 1})
        places = (places - {min(inner, key=lambda place: abs(place - wanted))}) | {wanted}
    return [steps[i] for i in sorted(places)]


def _shade(place: int, many: int) -> int:
    return MOST_CURVES - 1 if many == 1 else round(place * (MOST_CURVES - 1) / (many - 1))


def _scaled(step: Step, kind: str, factor: float) -> list[float]:
    return [value * factor for value in step.quantiles_s(kind) or ()]


def _described(title: str, curves: Sequence[_Curve], unit: str, told: int) -> str:
    half, most = SHARES.index(0.5), SHARES.index(0.95)
    parts = [
        f"{words}: half within {significant(values[half])} {unit}, 95 % within {significant(values[most])} {unit}."
        for _, words, values in curves
    ]
    left_out = f" {len(curves)} of {told} steps are drawn." if len(curves) < told else ""
    return f"{title} within so many {unit}. {' '.join(parts)}{left_out}"


def _draw(
    name: str,
    size: tuple[str, int, int],
    title: str,
    unit: str,
    curves: Sequence[_Curve],
    limits: Sequence[tuple[str, float]],
    alt: str,
) -> str:
    which, width, height = size
    y = svg.Scale(0.0, 1.0, height - _BOTTOM, _TOP)
    x = _values([value for *_, values in curves for value in values], svg.width_of("100 %") + 12, width - 24)
    ticks = svg.across(x, price, 6, (0, width))
    parts = [
        svg.text(4, 14, title, "panel-title"),
        *svg.level_grid(x, y, 6, lambda share: f"{share * 100:.0f} %"),
        *svg.level_axis(x, y.start, ticks, f"{unit}{' (log scale)' if x.log else ''}"),
        *_limits(x, y, limits, unit),
    ]
    for css, _, values in curves:
        points = [(x(value), y(share)) for share, value in zip(SHARES, values, strict=True)]
        parts.append(svg.path(points, f"line {css}"))
    return svg.document(width, height, title, alt, parts, id_=f"{name}-{which}")


def _values(values: Sequence[float], start: float, end: float) -> svg.Scale:
    low, high = min(values), max(values)
    if low > 0 and high / low >= _LOG_FROM:
        return svg.Scale(svg.round_down(low), svg.round_up(high), start, end, log=True)
    return svg.Scale(0.0, high * 1.05 or 1.0, start, end)


def _limits(x: svg.Scale, y: svg.Scale, limits: Sequence[tuple[str, float]], unit: str) -> list[Markup]:
    """Upright where a limit lies, and said above the drawing, where those are too that lie beyond it."""
    lines = [svg.line((x(at), y.end), (x(at), y.start), "limit") for _, at in limits if x.low <= at <= x.high]
    said = ", ".join(f"SLO {percentile} ≤ {significant(at)} {unit}" for percentile, at in limits)
    return [*lines, svg.text(x.start, y.end - 8, svg.fitted(said, x.end - x.start + 20), "limit-label")] if said else []
