"""Cost against volume: the staircase of whole instances, one line per API, where self-hosting wins shaded.

The curves are drawn by the staircase that the decision itself was made with, R in tasks a month:

self-host  S(R) = N(R) * usd_per_hour * 730 + fixed      N(R) = max(min_instances, ceil(R / capacity))
API        A(R) = api_usd_per_task * R + fixed, and a unit's price for each unit begun
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.base.rounding import amount, exact_volume, span, tasks_words, usd, volume
from harness.cost.breakeven.decision import staircase
from harness.cost.breakeven.staircase import Staircase
from harness.cost.breakeven.words import window_ends
from harness.report.charts import svg
from harness.report.model import Chart
from harness.report.text import clean, count
from harness.rundir.decide import Window
from harness.rundir.decision import Arm, Decision

ARM_COLOURS = 6  # classes arm-0 .. arm-5 of the style sheet; a seventh arm starts over


@dataclass(frozen=True, slots=True)
class ArmCurve:
    """One API in the chart: its line, and the volumes at which self-hosting wins against it."""

    name: str
    css: str
    stairs: Staircase
    windows: tuple[Window, ...]
    ends: list[tuple[str, str | None]]  # the windows' ends, printed
    is_decided: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of one drawing in its own units."""

    name: str
    width: int
    height: int
    top: int
    lane: int  # height of one winning-window lane
    labelled: bool  # names at the lines' ends; a narrow drawing leaves them to the legend


WIDE = Layout("wide", 980, 490, top=44, lane=19, labelled=True)
NARROW = Layout("narrow", 340, 410, top=44, lane=15, labelled=False)
_BELOW_AXIS = 42  # tick labels and the axis' title
_ABOVE_LANES = 18
_LANES_INSIDE = 3  # more lanes make the drawing taller
_UNMARKED_TOP = 26  # where no volume's label stands above the curves
_LEVELS = 8  # values on the upright axis, about
_MARGIN = 300  # units for names at the right, at most


def cost_chart(decision: Decision) -> Chart:
    """The chart."""
    arms = [
        ArmCurve(
            clean(arm.name),
            arm_css(i),
            stairs_of(arm),
            arm.decision.winning_windows,
            window_ends(arm.decision),
            arm.decided,
        )
        for i, arm in enumerate(decision.arms)
    ]
    tasks = decision.tasks_per_month
    legend = [("self", "self-host, whole instances")] if _box(arms) else []
    legend += [(arm.css, arm.name) for arm in arms]
    return Chart(
        name="cost",
        title="Monthly cost against monthly volume",
        alt=(alt := _described(arms, tasks, decision.self_host.no_goodput)),
        wide=_draw(WIDE, arms, tasks, alt),
        narrow=_draw(NARROW, arms, tasks, alt),
        legend=tuple(legend),
    )


def arm_css(position: int) -> str:
    """The class of an arm's lines and marks."""
    return f"arm-{position % ARM_COLOURS}"


def _box(arms: Sequence[ArmCurve]) -> Staircase | None:
    """The self-host side, which all arms have alike; None where no load step met the SLO."""
    return arms[0].stairs if arms[0].stairs.capacity is not None else None


def volume_range(arms: Sequence[ArmCurve], tasks: float | None) -> tuple[float, float]:
    """Tasks a month at the chart's two ends: round numbers around every volume that matters."""
    marks = [tasks, *(arm.stairs.full for arm in arms)]
    marks += [edge for arm in arms for window in arm.windows[-100:] for edge in window]
    known = [mark for mark in marks if mark] or [1e3, 1e6]
    low, high = svg.round_down(min(known) / 5), svg.round_up(max(known) * 2.5)
    return low, max(high, low * 100)


def _described(arms: Sequence[ArmCurve], tasks: float | None, why_no_box: str) -> str:
    box = _box(arms)
    nothing = f"No self-host curve: {why_no_box}, so the box has no capacity to draw."
    first = nothing if box is None else _box_words(box)
    parts = [first]
    if tasks is not None:
        parts.append(f"Your volume is {tasks_words(tasks)} a month.")
    for arm in arms:
        if not arm.is_decided:
            parts.append(f"Against {arm.name} it is not decided where self-hosting wins.")
            continue
        shown = [span(*ends) for ends in arm.ends[:4]]
        more = len(arm.windows) - len(shown)
        where = "; ".join(shown) + (f"; and {count(more, 'further window')}" if more > 0 else "")
        parts.append(f"Against {arm.name} self-hosting wins {where or 'at no volume'}.")
    return " ".join(parts)


def _box_words(box: Staircase) -> str:
    if box.metered_usd_per_task is not None:
        return f"The box is paid by the second: {usd(box.metered_usd_per_task)} a task."
    if box.hours is not None:
        return f"No instance runs in an hour without arrivals; a month of one serves {volume(box.capacity or 0)} tasks."
    month, serves = usd(box.usd_per_instance_month), volume(box.capacity or 0)
    return f"One instance costs {month} a month and serves {serves} tasks; every further one is a step."


def _draw(layout: Layout, arms: Sequence[ArmCurve], tasks: float | None, alt: str) -> str:
    lanes = [arm for arm in arms if arm.windows]
    low, high = volume_range(arms, tasks)
    steps = corners(box, low, high) if (box := _box(arms)) else []
    y_low, y_high = _cost_range([arm.stairs.api_usd(v) for arm in arms for v in (low, high)], steps)
    height = layout.height + max(0, len(lanes) - _LANES_INSIDE) * layout.lane
    bottom = height - _BELOW_AXIS - (len(lanes) * layout.lane + _ABOVE_LANES if lanes else 0)
    y = svg.Scale(y_low, y_high, bottom, layout.top if tasks else _UNMARKED_TOP, log=True)
    left = svg.room_for(map(_short, y.ticks(_LEVELS))) + 12
    x = svg.Scale(low, high, left, layout.width - _right(layout, arms), log=True)
    parts = [
        *_bands(arms, x, y),
        *_axes(layout, x, y),
        *(svg.path(_visible(arm.stairs, x, y), f"line {arm.css}", data_arm=arm.name) for arm in arms),
        *_staircase(box, steps, x, y),
        *_own_volume(tasks, x, y),
        *(_end_labels(layout, arms, steps, x, y) if layout.labelled else []),
        *_lanes(layout, lanes, x, bottom + _BELOW_AXIS),
    ]
    title = "Monthly cost against monthly volume"
    return svg.document(layout.width, height, title, alt, parts, id_=f"cost-{layout.name}")


def _right(layout: Layout, arms: Sequence[ArmCurve]) -> float:
    """The margin at the right, wide enough for the names there."""
    if not layout.labelled:
        return 14.0
    return min(svg.room_for([arm.name for arm in arms], bold=True) + 16, _MARGIN)


def _cost_range(api_ends: Sequence[float], steps: Sequence[svg.Point]) -> tuple[float, float]:
    """USD a month at the chart's two ends: round numbers, at least a decade apart."""
    ends = [*api_ends, *(steps[i][1] for i in (0, -1) if steps)]
    positive = [end for end in ends if end > 0] or [1.0]
    low = min(positive)
    if steps and steps[0][1] > 0:
        # API lines may start decades under the box; below a thousandth of it nothing is decided
        low = max(low, steps[0][1] / 1000)
    low = svg.round_down(low)
    return low, max(svg.round_up(max(positive)), low * 10)


def _bands(arms: Sequence[ArmCurve], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    kind = "band" if sum(bool(arm.windows) for arm in arms) < 2 else "band faint"  # they lie over each other
    return [part for arm in arms for part in _windows(arm, x, y.end, y.start - y.end, kind)]


def _windows(arm: ArmCurve, x: svg.Scale, top: float, height: float, kind: str) -> list[Markup]:
    pairs = zip(arm.windows, arm.ends, strict=True)
    return [_window(arm, window, span(*ends), x, top, height, kind) for window, ends in pairs]


def _window(arm: ArmCurve, window: Window, shown: str, x: svg.Scale, top: float, height: float, kind: str) -> Markup:
    low, high = window
    start, end = x(low), x(x.high if high is None else high)
    label = svg.element("title", f"self-hosting wins against {arm.name}: {shown} tasks a month")
    width = max(end - start, 1.5)  # a window narrower than a hair must still be seen
    data = {"data_arm": arm.name, "data_low": repr(low), "data_high": "" if high is None else repr(high)}
    return svg.rect(start, top, width, height, f"{kind} {arm.css}", label, **data)


def _axes(layout: Layout, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    ticks = svg.across(x, volume, 9 if layout.labelled else 5, (0, layout.width))
    return [
        *svg.level_grid(x, y, _LEVELS, _short),
        *svg.level_axis(x, y.start, ticks, "tasks a month (log scale)"),
        svg.text(4, 14, "USD a month (log scale)", "axis-title"),
    ]


def _short(value: float) -> str:
    return volume(value) if value >= 1000 else amount(value).removesuffix(".00")


def _visible(stairs: Staircase, x: svg.Scale, y: svg.Scale) -> list[svg.Point]:
    """The API's points from where its bill enters the drawing."""
    start = x.low
    if stairs.api_usd(x.low) < y.low:
        start = min(stairs.api_reaches(y.low, stairs.api_base_usd), x.high)
    return [(x(tasks), y(cost)) for tasks, cost in api_points(stairs, start, x.high)]


def _staircase(box: Staircase | None, steps: Sequence[svg.Point], x: svg.Scale, y: svg.Scale) -> list[Markup]:
    if box is None:
        return []
    drawn = [(x(tasks), y(cost)) for tasks, cost in steps]
    return [svg.path(drawn, "line self staircase", data_capacity=repr(box.capacity))]


def _own_volume(tasks: float | None, x: svg.Scale, y: svg.Scale) -> list[Markup]:
    if not tasks:
        return []
    place, words = x(tasks), f"you: {exact_volume(tasks)} a month"
    return [
        svg.line((place, y.end), (place, y.start), "own"),
        svg.text(svg.centred(words, place, x.start, x.end), y.end - 7, words, "own-label"),
    ]


def _end_labels(
    layout: Layout, arms: Sequence[ArmCurve], steps: Sequence[svg.Point], x: svg.Scale, y: svg.Scale
) -> list[Markup]:
    named = [(arm.name, arm.css, y(arm.stairs.api_usd(x.high))) for arm in arms]
    if steps:
        named.append(("self-host", "self", y(steps[-1][1])))
    return svg.end_labels(x.end + 8, named, 17, (y.end + 4, y.start), layout.width - x.end - 10)


def _lanes(layout: Layout, lanes: Sequence[ArmCurve], x: svg.Scale, top: float) -> list[Markup]:
    if not lanes:
        return []
    parts = [svg.text(4, top + 10, "self-hosting wins against", "axis-title")]
    for i, arm in enumerate(lanes):
        place = top + _ABOVE_LANES + i * layout.lane
        parts.append(svg.rect(x.start, place, x.end - x.start, layout.lane - 7.0, "lane-floor"))
        parts += _windows(arm, x, place, layout.lane - 7.0, "lane")
        if layout.labelled:
            name = svg.fitted(arm.name, layout.width - x.end - 10, bold=True)
            parts.append(svg.text(x.end + 8, place + 10, name, f"end-label {arm.css}"))
    return parts


PIECES = 48  # of a curve
MOST_STEPS = 300  # beyond so many instances a step is finer than the line that draws it


def stairs_of(arm: Arm) -> Staircase:
    """An arm's comparison, of what was decided on; its capacity is None when no load step met the SLO."""
    return staircase(arm.input, arm.input.self_host.goodput_requests_per_s)


def corners(stairs: Staircase, low: float, high: float) -> list[tuple[float, float]]:
    """The box's bill between two volumes as (tasks, USD) corners, level then upright; tasks rise.

    Beyond 300 steps it goes on as a slope. In pieces: a line, where it is paid by the call, and a level that rises
    with what stays unsolved.
    """
    if stairs.metered_usd_per_task is not None:
        return [(tasks, stairs.self_usd_at(tasks)) for tasks in _between(low, high)]
    points, at = [(low, stairs.self_usd_at(low))], low
    for _ in range(MOST_STEPS):
        at = stairs.next_step(at)
        if at >= high:
            break
        points += [(at, stairs.self_usd_at(at)), (at, stairs.self_usd_after(at))]
    rising = _between(low, high)[1:-1] if stairs.own_usd_per_task else []
    points += [(tasks, stairs.self_usd_at(tasks)) for tasks in rising]
    return [*sorted(points, key=lambda point: point[0]), (high, stairs.self_usd_at(high))]


def api_points(stairs: Staircase, low: float, high: float) -> list[tuple[float, float]]:
    """The API's bill between two volumes; a line is straight on two log axes unless it has a fixed part or steps."""
    if stairs.has_units:
        first = int(low // stairs.unit_tasks) + 1
        edges = [n * stairs.unit_tasks for n in range(first, first + MOST_STEPS) if n * stairs.unit_tasks < high]
        steps = [point for at in edges for point in ((at, stairs.api_usd(at)), (at, stairs.api_usd_after(at)))]
        return [(low, stairs.api_usd(low)), *steps, (high, stairs.api_usd(high))]
    volumes = _between(low, high) if stairs.api_base_usd else [low, high]
    return [(tasks, stairs.api_usd(tasks)) for tasks in volumes]


def _between(low: float, high: float) -> list[float]:
    """Volumes from one end to the other, each the same factor above the last."""
    return [low * (high / low) ** (i / PIECES) for i in range(PIECES + 1)]
