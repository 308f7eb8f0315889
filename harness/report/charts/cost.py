"""Cost against volume: the staircase of whole instances, one line per API, where self-hosting wins shaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from harness.report.charts import svg
from harness.report.charts.curves import Api, SelfHost, api_of, self_host_of, tasks_of, windows_of
from harness.report.model import Chart
from harness.report.text import amount, clean, count, span, usd, volume

ARM_COLOURS = 6  # classes arm-0 .. arm-5 of the style sheet; a seventh arm starts over


@dataclass(frozen=True, slots=True)
class ArmCurve:
    """One API in the chart: its line, and the volumes at which self-hosting wins against it."""

    name: str
    css: str
    api: Api | None
    windows: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of one drawing in its own units."""

    name: str
    width: int
    height: int
    left: int
    right: int
    top: int
    lane: int  # height of one winning-window lane
    labelled: bool  # names at the lines' ends; a narrow drawing leaves them to the legend


WIDE = Layout("wide", 980, 470, left=74, right=196, top=26, lane=19, labelled=True)
NARROW = Layout("narrow", 380, 400, left=50, right=12, top=26, lane=15, labelled=False)
_BELOW_AXIS = 42  # tick labels and the axis' title
_ABOVE_LANES = 18
_LANES_INSIDE = 3  # more lanes make the drawing taller


def cost_chart(decision: Mapping[str, Any]) -> Chart | None:
    """The chart, or None when no arm has a price."""
    arms = [
        ArmCurve(clean(arm.get("name")), f"arm-{i % ARM_COLOURS}", api_of(arm), tuple(windows_of(arm)))
        for i, arm in enumerate(decision.get("arms") or [])
    ]
    arms = [arm for arm in arms if arm.api is not None]
    if not arms:
        return None
    box = next((b for b in map(self_host_of, decision.get("arms") or []) if b is not None), None)
    tasks = tasks_of(decision)
    legend = [("self", "self-host, whole instances")] if box else []
    legend += [(arm.css, arm.name) for arm in arms]
    return Chart(
        name="cost",
        title="Monthly cost against monthly volume",
        alt=_described(arms, box, tasks),
        wide=_draw(WIDE, arms, box, tasks),
        narrow=_draw(NARROW, arms, box, tasks),
        legend=tuple(legend),
    )


def volume_range(arms: Sequence[ArmCurve], box: SelfHost | None, tasks: float | None) -> tuple[float, float]:
    """Tasks a month at the chart's two ends: round numbers around every volume that matters."""
    marks = [tasks] if tasks else []
    if box:
        marks.append(box.capacity_tasks_per_month * box.min_instances)
    for arm in arms:
        marks += [edge for window in arm.windows[-100:] for edge in window if edge]
    marks = [mark for mark in marks if mark > 0] or [1e3, 1e6]
    low, high = svg.round_down(min(marks) / 5), svg.round_up(max(marks) * 2.5)
    return low, max(high, low * 100)


def _described(arms: Sequence[ArmCurve], box: SelfHost | None, tasks: float | None) -> str:
    if box is None:
        first = "No self-host curve: no load step met the SLO, so the box has no capacity to draw."
    else:
        first = (
            f"One instance costs {usd(box.usd_per_instance_month)} a month and serves "
            f"{volume(box.capacity_tasks_per_month)} tasks; every further one is a step."
        )
    parts = [first]
    if tasks is not None:
        parts.append(f"Your volume is {volume(tasks)} tasks a month.")
    for arm in arms:
        shown = [
            f"{volume(low)} and above" if high is None else span(low, high) for low, high in arm.windows[:4]
        ]
        more = len(arm.windows) - len(shown)
        where = "; ".join(shown) + (f"; and {count(more, 'further window')}" if more > 0 else "")
        parts.append(f"Against {arm.name} self-hosting wins {'at ' + where if where else 'at no volume'}.")
    return " ".join(parts)


def _draw(layout: Layout, arms: Sequence[ArmCurve], box: SelfHost | None, tasks: float | None) -> str:
    lanes = [arm for arm in arms if arm.windows]
    low, high = volume_range(arms, box, tasks)
    ends = [arm.api.usd(v) for arm in arms if arm.api for v in (low, high)]
    if box:
        ends += [box.usd(low), box.usd(high)]
    positive = [end for end in ends if end > 0] or [1.0]
    # API lines may start decades under the box; below a thousandth of it nothing is decided
    floor = max(min(positive), (box.usd(low) / 1000 if box and box.usd(low) > 0 else min(positive)))
    height = layout.height + max(0, len(lanes) - _LANES_INSIDE) * layout.lane
    bottom = height - _BELOW_AXIS - (len(lanes) * layout.lane + _ABOVE_LANES if lanes else 0)
    x = svg.Scale(low, high, layout.left, layout.width - layout.right, log=True)
    y_low, y_high = svg.round_down(floor), svg.round_up(max(positive))
    y = svg.Scale(y_low, max(y_high, y_low * 10), bottom, layout.top, log=True)
    parts = [
        *_bands(arms, x, y),
        *_axes(layout, x, y),
        *_api_lines(arms, x, y),
        *_staircase(box, x, y),
        *_own_volume(tasks, x, y),
        *(_end_labels(layout, arms, box, x, y) if layout.labelled else []),
        *_lanes(layout, lanes, x, bottom + _BELOW_AXIS),
    ]
    title = "Monthly cost against monthly volume"
    return svg.document(
        layout.width, height, title, _described(arms, box, tasks), parts, id_=f"cost-{layout.name}"
    )


def _bands(arms: Sequence[ArmCurve], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    kind = "band" if sum(bool(arm.windows) for arm in arms) < 2 else "band faint"  # they lie over each other
    return [_window(arm, window, x, y.end, y.start - y.end, kind) for arm in arms for window in arm.windows]


def _window(
    arm: ArmCurve, window: tuple[float, float | None], x: svg.Scale, top: float, height: float, kind: str
) -> Markup:
    low, high = window
    start, end = x(low), x(x.high if high is None else high)
    return svg.element(
        "rect",
        svg.element("title", f"self-hosting wins against {arm.name}: {_span(low, high)} tasks a month"),
        x=start,
        y=top,
        width=max(end - start, 1.5),  # a window narrower than a hair must still be seen
        height=height,
        class_=f"{kind} {arm.css}",
        data_arm=arm.name,
        data_low=repr(low),
        data_high="" if high is None else repr(high),
    )


def _span(low: float, high: float | None) -> str:
    return f"from {volume(low)} on" if high is None else span(low, high)


def _axes(layout: Layout, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    parts: list[Markup] = []
    for tick in y.ticks(8):
        parts.append(svg.line((x.start, y(tick)), (x.end, y(tick)), "grid"))
        parts.append(svg.text(x.start - 7, y(tick) + 4, _short(tick), "tick", "end"))
    for tick in x.ticks(9 if layout.labelled else 5):
        parts.append(svg.line((x(tick), y.start), (x(tick), y.start + 5), "axis"))
        parts.append(svg.text(x(tick), y.start + 19, volume(tick), "tick", "middle"))
    parts.append(svg.line((x.start, y.start), (x.end, y.start), "axis"))
    parts.append(svg.text(x.end, y.start + 36, "tasks a month (log scale)", "axis-title", "end"))
    parts.append(svg.text(4, 14, "USD a month (log scale)", "axis-title"))
    return parts


def _short(value: float) -> str:
    return volume(value) if value >= 1000 else amount(value).removesuffix(".00")


def _api_lines(arms: Sequence[ArmCurve], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    return [
        svg.path(_visible(arm.api, x, y), f"line {arm.css}", data_arm=arm.name) for arm in arms if arm.api
    ]


def _visible(api: Api, x: svg.Scale, y: svg.Scale) -> list[svg.Point]:
    """The line's points from where it enters the drawing; a straight line is straight on two log axes
    unless it has a fixed part, so it is drawn in pieces."""
    start = x.low
    if api.usd_per_task > 0 and api.usd(x.low) < y.low:
        start = min((y.low - api.fixed_usd_per_month) / api.usd_per_task, x.high)
    pieces = 48 if api.fixed_usd_per_month else 1
    volumes = [start * (x.high / start) ** (i / pieces) for i in range(pieces + 1)]
    return [(x(v), y(api.usd(v))) for v in volumes]


def _staircase(box: SelfHost | None, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    if box is None:
        return []
    corners = [(x(tasks), y(cost)) for tasks, cost in box.corners(x.low, x.high)]
    return [svg.path(corners, "line self staircase", data_capacity=repr(box.capacity_tasks_per_month))]


def _own_volume(tasks: float | None, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    if not tasks:
        return []
    place = x(tasks)
    anchor = "end" if place > (x.start + x.end) / 2 else "start"
    return [
        svg.line((place, y.end), (place, y.start), "own"),
        svg.text(
            place + (-5 if anchor == "end" else 5),
            y.end - 6,
            f"you: {volume(tasks)} a month",
            "own-label",
            anchor,
        ),
    ]


def _end_labels(
    layout: Layout, arms: Sequence[ArmCurve], box: SelfHost | None, x: svg.Scale, y: svg.Scale
) -> list[Markup]:
    named = [(arm.name, arm.css, y(arm.api.usd(x.high))) for arm in arms if arm.api]
    if box:
        named.append(("self-host", "self", y(box.usd(x.high))))
    places = svg.spread([place for _, _, place in named], 17, y.end + 4, y.start)
    return [
        svg.text(layout.width - layout.right + 8, place + 4, _cut(name), f"end-label {css}")
        for (name, css, _), place in zip(named, places, strict=True)
    ]


def _cut(name: str, most: int = 27) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _lanes(layout: Layout, lanes: Sequence[ArmCurve], x: svg.Scale, top: float) -> list[Markup]:
    if not lanes:
        return []
    parts = [svg.text(4, top + 10, "self-hosting wins against", "axis-title")]
    for i, arm in enumerate(lanes):
        place = top + _ABOVE_LANES + i * layout.lane
        parts.append(
            svg.element(
                "rect",
                x=x.start,
                y=place,
                width=x.end - x.start,
                height=layout.lane - 7.0,
                class_="lane-floor",
            )
        )
        parts += [_window(arm, window, x, place, layout.lane - 7.0, "lane") for window in arm.windows]
        if layout.labelled:
            parts.append(svg.text(x.end + 8, place + 10, _cut(arm.name), f"end-label {arm.css}"))
    return parts
