"""Throughput and latency against load: the whole curve, the SLO's limits, the steps that broke them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.report import svg
from harness.report.model import Chart
from harness.report.text import MS_PER_S, number, significant
from harness.stats import SAMPLE_FLOORS

WIDTH, HEIGHT = 470, 268
LEFT, RIGHT, TOP, BOTTOM = 58, 84, 34, 42
_LOG_WHEN_ABOVE = 16  # largest over smallest value from which a straight axis hides the small ones


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: a value per step (None: unknown), and whether it rests on enough samples there."""

    label: str
    css: str
    values: tuple[float | None, ...]
    sure: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing: several curves over the same steps, with limit lines."""

    name: str
    title: str
    unit: str
    series: tuple[Series, ...]
    limits: tuple[tuple[str, float], ...] = ()


def load_of(step: Mapping[str, Any]) -> float | None:
    """The load asked for in a step: users, or requests per second."""
    load = step.get("load") or {}
    users = number(load.get("users"))
    return users if users is not None else number(load.get("requests_per_s"))


def load_unit(steps: Sequence[Mapping[str, Any]]) -> str:
    """What the load axis counts."""
    counts_users = any((step.get("load") or {}).get("users") is not None for step in steps)
    return "users at once" if counts_users else "requests per second asked"


def load_charts(
    steps: Sequence[Mapping[str, Any]], slo: Mapping[str, float], goodput_step: Any
) -> list[Chart]:
    """Output rate, request rate, time to first token and time per token, each against load."""
    known = [step for step in steps if load_of(step) is not None]
    panels = [
        _output(known),
        _requests(known),
        *(_latency(known, kind, slo) for kind in ("ttft", "tpot", "e2e")),
    ]
    if not any(key.startswith("e2e_") for key in slo):
        panels.pop()
    return [
        _chart(panel, known, goodput_step)
        for panel in panels
        if any(value is not None for series in panel.series for value in series.values)
    ]


def _plain(steps: Sequence[Mapping[str, Any]], key: str, label: str, css: str) -> Series:
    values = tuple(number(step.get(key)) for step in steps)
    return Series(label, css, values, tuple(True for _ in values))


def _output(steps: Sequence[Mapping[str, Any]]) -> Panel:
    return Panel(
        "output",
        "Output tokens per second",
        "tok/s",
        (_plain(steps, "output_tokens_per_s", "output", "self"),),
    )


def _requests(steps: Sequence[Mapping[str, Any]]) -> Panel:
    return Panel(
        "requests",
        "Requests per second",
        "req/s",
        (
            _plain(steps, "requests_per_s", "finished", "series-2"),
            _plain(steps, "goodput_requests_per_s", "within SLO", "self"),
        ),
    )


_LATENCY_TITLES = {"ttft": "Time to first token", "tpot": "Time per output token", "e2e": "Whole request"}


def _latency(steps: Sequence[Mapping[str, Any]], kind: str, slo: Mapping[str, float]) -> Panel:
    asked = {key.split("_")[1] for key in slo if key.startswith(f"{kind}_")}
    names = sorted({"p50", "p95", "p99"} | asked)
    limits = [(f"SLO {key.split('_')[1]}", value) for key, value in slo.items() if key.startswith(f"{kind}_")]
    columns = {p: [number((step.get(f"{kind}_s") or {}).get(p)) for step in steps] for p in names}
    largest = max([v or 0.0 for values in columns.values() for v in values] + [v for _, v in limits] + [0.0])
    factor, unit = (1.0, "s") if largest >= 2 else (float(MS_PER_S), "ms")
    series = [
        Series(
            label=p,
            css=f"series-{p}",
            values=tuple(None if v is None else factor * v for v in columns[p]),
            sure=tuple(_enough(step.get(f"{kind}_s"), p) for step in steps),
        )
        for p in names
    ]
    return Panel(kind, _LATENCY_TITLES[kind], unit, tuple(series), tuple((n, v * factor) for n, v in limits))


def _enough(stats: Any, percentile: str) -> bool:
    samples = number((stats or {}).get("n"))
    return samples is not None and samples >= SAMPLE_FLOORS.get(percentile, 1)


def _chart(panel: Panel, steps: Sequence[Mapping[str, Any]], goodput_step: Any) -> Chart:
    drawing = _draw(panel, steps, goodput_step)
    return Chart(f"load-{panel.name}", panel.title, _described(panel, steps), drawing, drawing)


def _described(panel: Panel, steps: Sequence[Mapping[str, Any]]) -> str:
    loads = [load_of(step) or 0.0 for step in steps]
    parts = []
    for series in panel.series:
        known = [(load, v) for load, v in zip(loads, series.values, strict=True) if v is not None]
        if known:
            (first, low), (last, high) = known[0], known[-1]
            parts.append(
                f"{series.label} {significant(low)} {panel.unit} at load {significant(first)}, "
                f"{significant(high)} {panel.unit} at load {significant(last)}."
            )
    parts += [f"{label} limit {significant(limit)} {panel.unit}." for label, limit in panel.limits]
    failed = [significant(load_of(step)) for step in steps if step.get("slo_met") is False]
    parts.append(f"The SLO is broken at load {', '.join(failed)}." if failed else "")
    return f"{panel.title} against {load_unit(steps)}: {' '.join(part for part in parts if part)}"


def _scales(panel: Panel, loads: Sequence[float]) -> tuple[svg.Scale, svg.Scale]:
    low, high = min(loads), max(loads)
    log_x = low > 0 and high / low >= _LOG_WHEN_ABOVE
    if low == high:
        low, high = low * 0.5, high * 1.5 or 1.0
    pad = 0.0 if log_x else (high - low) * 0.04
    x = svg.Scale(low - pad, high + pad, LEFT, WIDTH - RIGHT, log=log_x)
    values = [v for series in panel.series for v in series.values if v is not None]
    values += [limit for _, limit in panel.limits]
    positive = [v for v in values if v > 0]
    log_y = len(positive) == len(values) and max(values) / min(values) > 3 * _LOG_WHEN_ABOVE
    if log_y:
        return x, svg.Scale(
            svg.round_down(min(values)), svg.round_up(max(values)), HEIGHT - BOTTOM, TOP, log=True
        )
    top = max(values, default=0.0) * 1.08 or 1.0
    return x, svg.Scale(0.0, top, HEIGHT - BOTTOM, TOP)


def _draw(panel: Panel, steps: Sequence[Mapping[str, Any]], goodput_step: Any) -> str:
    loads = [load_of(step) or 0.0 for step in steps]
    x, y = _scales(panel, loads)
    parts = [*_axes(panel, x, y, loads, load_unit(steps)), *_goodput_line(steps, goodput_step, x, y)]
    for label, limit in panel.limits:
        parts.append(svg.line((x.start, y(limit)), (x.end, y(limit)), "limit"))
        parts.append(
            svg.text(x.start + 4, y(limit) - 4, f"{label} {significant(limit)} {panel.unit}", "limit-label")
        )
    for series in panel.series:
        parts += _curve(series, steps, loads, x, y)
    parts += _labels(panel, x, y)
    return svg.document(WIDTH, HEIGHT, panel.title, _described(panel, steps), parts, id_=f"load-{panel.name}")


def _axes(panel: Panel, x: svg.Scale, y: svg.Scale, loads: Sequence[float], unit: str) -> list[Markup]:
    parts = [
        svg.text(4, 14, f"{panel.title}, {panel.unit}" + (" (log scale)" if y.log else ""), "panel-title")
    ]
    for tick in y.ticks(6):
        parts.append(svg.line((x.start, y(tick)), (x.end, y(tick)), "grid"))
        parts.append(svg.text(x.start - 7, y(tick) + 4, f"{tick:,.10g}", "tick", "end"))
    parts.append(svg.line((x.start, y.start), (x.end, y.start), "axis"))
    shown = -math.inf
    for load in sorted(set(loads)):
        place = x(load)
        parts.append(svg.line((place, y.start), (place, y.start + 4), "axis"))
        if place - shown >= 30:
            parts.append(svg.text(place, y.start + 17, f"{load:,.4g}", "tick", "middle"))
            shown = place
    parts.append(svg.text(x.end, y.start + 34, unit + (" (log scale)" if x.log else ""), "axis-title", "end"))
    return parts


def _goodput_line(
    steps: Sequence[Mapping[str, Any]], goodput_step: Any, x: svg.Scale, y: svg.Scale
) -> list[Markup]:
    load = next((load_of(step) for step in steps if step.get("step") == goodput_step), None)
    if load is None:
        return []
    return [svg.line((x(load), y.end), (x(load), y.start), "own goodput-step")]


def _curve(
    series: Series, steps: Sequence[Mapping[str, Any]], loads: Sequence[float], x: svg.Scale, y: svg.Scale
) -> list[Markup]:
    points = [
        (x(load), y(value), step, sure)
        for load, value, step, sure in zip(loads, series.values, steps, series.sure, strict=True)
        if value is not None
    ]
    parts = [svg.path([(px, py) for px, py, _, _ in points], f"line {series.css}")] if len(points) > 1 else []
    return parts + [_marker(px, py, step.get("slo_met"), sure, series.css) for px, py, step, sure in points]


def _marker(px: float, py: float, slo_met: Any, sure: bool, css: str) -> Markup:
    """A cross where the SLO broke, a ring where samples were too few or the SLO is unknown, else a dot."""
    if slo_met is False:
        return svg.element(
            "path",
            d=f"M{px - 4:.2f} {py - 4:.2f}l8 8m0 -8l-8 8",
            class_=f"failed-step {css}",
            data_step="failed",
        )
    hollow = not sure or slo_met is None
    return svg.element("circle", cx=px, cy=py, r=3.4, class_=f"{'ring' if hollow else 'dot'} {css}")


def _labels(panel: Panel, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    ends = []
    for series in panel.series:
        known = [v for v in series.values if v is not None]
        if known:
            ends.append((series.label, series.css, y(known[-1])))
    places = svg.spread([place for _, _, place in ends], 14, y.end, y.start)
    return [
        svg.text(x.end + 7, place + 4, label, f"end-label {css}")
        for (label, css, _), place in zip(ends, places, strict=True)
    ]
