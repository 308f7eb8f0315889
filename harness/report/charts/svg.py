"""SVG by hand: elements whose every text is escaped, axes, and the ticks on them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

Point = tuple[float, float]


def element(name: str, *children: str, **attributes: object) -> Markup:
    """`<name ...>children</name>`; plain strings are escaped, attributes with None are left out.

    Attribute names: `class_` is class, other underscores become hyphens.
    """
    parts = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _printed(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(parts), inside)


def _printed(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def document(width: int, height: int, title: str, description: str, children: Iterable[str], *, id_: str) -> str:
    """A whole drawing, scaled to its box, with the title and description that a screen reader reads."""
    return str(
        element(
            "svg",
            element("title", title, id=f"{id_}-title"),
            element("desc", description, id=f"{id_}-desc"),
            *children,
            viewBox=f"0 0 {width} {height}",
            role="img",
            aria_labelledby=f"{id_}-title {id_}-desc",
            class_="chart",
        )
    )


def text(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> Markup:
    """Text whose baseline is at y."""
    return element("text", content, x=x, y=y, text_anchor=anchor, class_=class_ or None)


def line(start: Point, end: Point, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def rect(x: float, y: float, width: float, height: float, class_: str, *children: str, **attributes: object) -> Markup:
    """A rectangle from its upper left corner."""
    sizes = {"x": x, "y": y, "width": width, "height": height}
    return element("rect", *children, **sizes, class_=class_, **attributes)


def path(points: Sequence[Point], class_: str, **attributes: object) -> Markup:
    """A line through points; level and upright pieces are written as H and V."""
    out: list[str] = []
    before: Point | None = None
    for x, y in points:
        if before is None:
            out.append(f"M{x:.2f} {y:.2f}")
        elif math.isclose(y, before[1], abs_tol=1e-9):
            out.append(f"H{x:.2f}")
        elif math.isclose(x, before[0], abs_tol=1e-9):
            out.append(f"V{y:.2f}")
        else:
            out.append(f"L{x:.2f} {y:.2f}")
        before = (x, y)
    return element("path", d="".join(out), class_=class_, **attributes)


@dataclass(frozen=True, slots=True)
class Scale:
    """From a value to a place on the paper, straight or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of `value`, kept within the axis."""
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values on the axis, at most about `most`."""
        return log_ticks(self.low, self.high, most) if self.log else linear_ticks(self.low, self.high, most)


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """1, 2 and 5 of every decade while they fit, else 1 and 3, else whole decades."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    inside: list[float] = []
    for mantissas in ((1, 2, 5), (1, 3), (1,)):
        inside = [
            m * 10.0**decade
            for decade in range(first, last + 1)
            for m in mantissas
            if low * 0.9999 <= m * 10.0**decade <= high * 1.0001
        ]
        if len(inside) <= most:
            return inside
    skip = math.ceil(len(inside) / most)
    return inside[::skip]


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(most - 1, 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough * 0.9999)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def round_down(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten at or below."""
    size = 10.0 ** math.floor(math.log10(value))
    return max(m * size for m in (1, 2, 5) if m * size <= value * 1.0001)


def round_up(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten at or above."""
    size = 10.0 ** math.floor(math.log10(value))
    return min(m * size for m in (1, 2, 5, 10) if m * size >= value * 0.9999)


_SLIM, _BROAD = frozenset("iljtfrI.,:;'|!()[]{} -/·"), frozenset("mwMW@%…−≤")


def width_of(words: str, *, bold: bool = False) -> float:
    """How wide a text of a drawing is at most, in its units: no common sans serif is wider than DejaVu Sans."""
    ems = sum(0.4 if c in _SLIM else 1.0 if c in _BROAD else 0.72 if c.isupper() else 0.64 for c in words)
    return 12 * ems * (1.12 if bold else 1.0)


def room_for(labels: Iterable[str], *, bold: bool = False) -> float:
    """The width of the widest."""
    return max((width_of(label, bold=bold) for label in labels), default=0.0)


def fitted(name: str, room: float, *, bold: bool = False) -> str:
    """A name that is cut where it is wider than its room."""
    if width_of(name, bold=bold) <= room:
        return name
    while name and width_of(name + "…", bold=bold) > room:
        name = name[:-1]
    return name + "…"


def centred(words: str, place: float, low: float, high: float) -> float:
    """Where a bold text begins that stands in the middle of a place, moved so that it lies between two ends."""
    wide = width_of(words, bold=True)
    return max(min(place - wide / 2, high - wide), low)


def end_labels(
    x: float, named: Sequence[tuple[str, str, float]], gap: float, ends: tuple[float, float], room: float
) -> list[Markup]:
    """Names at the ends of lines, as (name, class, place), moved apart to at least `gap`, in a margin so wide."""
    places = spread([place for *_, place in named], gap, *ends)
    return [
        text(x, place + 4, fitted(name, room, bold=True), f"end-label {css}")
        for (name, css, _), place in zip(named, places, strict=True)
    ]


def across(x: Scale, label: Callable[[float], str], most: int, edges: tuple[float, float]) -> list[tuple[float, str]]:
    """The level axis' ticks as (place, label): as many as stand side by side, each within the drawing's edges."""
    found: list[tuple[float, str]] = []
    for many in range(most, 1, -1):
        placed = [(x(tick), label(tick), width_of(label(tick)) / 2) for tick in x.ticks(many)]
        inside = [one for one in placed if one[0] - one[2] >= edges[0] and one[0] + one[2] <= edges[1]]
        found = [(place, words) for place, words, _ in inside]
        if all(b[0] - b[2] - a[0] - a[2] >= 6 for a, b in pairwise(inside)):
            return found
    return found[:1]


def level_axis(x: Scale, y: float, ticks: Sequence[tuple[float, str]], title: str) -> list[Markup]:
    """The level axis at a height: its line, a stroke and a label at each tick, its title below."""
    parts = [line((x.start, y), (x.end, y), "axis")]
    for place, label in ticks:
        parts.append(line((place, y), (place, y + 4), "axis"))
        parts.append(text(place, y + 18, label, "tick", "middle"))
    return [*parts, text(x.end, y + 35, title, "axis-title", "end")]


def swatch(css: str) -> Markup:
    """What stands before a name in a legend: a line with its own dash, an area, or the cross of a failure."""
    if css == "mark-failed":
        drawn = element("path", d="M10 2l6 6m0 -6l-6 6", class_="failed-step")
    elif css == "mark-stall":
        drawn = rect(2, 1, 22, 8, "stall")
    elif css.startswith("phase-"):
        drawn = rect(2, 2, 22, 6, f"strip {css}")
    else:
        drawn = line((1, 5), (27, 5), f"line {css}")
    return element("svg", drawn, viewBox="0 0 28 10", class_="chart swatch", aria_hidden="true")


def level_grid(x: Scale, y: Scale, most: int, label: Callable[[float], str]) -> list[Markup]:
    """The upright axis: at about `most` values a line across, and the value on its left."""
    parts = []
    for tick in y.ticks(most):
        parts.append(line((x.start, y(tick)), (x.end, y(tick)), "grid"))
        parts.append(text(x.start - 7, y(tick) + 4, label(tick), "tick", "end"))
    return parts


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places moved apart to at least `gap`, in their order, kept between `low` and `high`: for labels."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = [min(max(place, low), high) for place in places]
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    if order and moved[order[-1]] > high:
        moved[order[-1]] = high
        for after, before in pairwise(reversed(order)):
            moved[before] = min(moved[before], moved[after] - gap)
    return moved
