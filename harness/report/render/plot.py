"""Curves over load in a terminal: Braille dots between the points, a mark at each, limits as broken lines."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

from harness.base.rounding import significant
from harness.report.charts.svg import Scale, round_down, round_up
from harness.report.model import Dot, Plot
from harness.report.text import price

ROWS, WIDEST, NARROWEST = 8, 76, 40
SIDE_BY_SIDE = 2 * NARROWEST + 3  # columns from which two drawings stand beside each other
_LOG_LOADS, _LOG_VALUES = 16, 20  # largest over smallest from which a straight axis hides the small ones
_STYLES = ("cyan", "magenta", "green")
_LEVELS = 4  # values on the upright axis, about
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a Braille cell, by row and column
_BRAILLE = 0x2800


@dataclass(frozen=True, slots=True)
class _Signs:
    """What is drawn with."""

    marks: str
    broken: str
    limit: str
    upright: str
    corner: str
    level: str
    tick: str
    line: str  # empty: Braille


_UNICODE = _Signs("●◆▲", "✕", "┄", "┤", "└", "─", "┬", "")
_ASCII = _Signs("o#^", "x", "-", "|", "+", "-", "+", ".")


@dataclass(frozen=True, slots=True)
class Plots:
    """Drawings beside each other where there is room, else below each other."""

    plots: tuple[Plot, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        signs = _ASCII if options.ascii_only else _UNICODE
        beside = len(self.plots) > 1 and options.max_width >= SIDE_BY_SIDE
        width = min(WIDEST, (options.max_width - 3) // 2 if beside else options.max_width)
        drawn = [_drawn(plot, width, signs) for plot in self.plots]
        if not beside:
            yield from (line for lines in drawn for line in lines)
            return
        for lines in zip(*drawn, strict=True):
            yield _joined(lines, width)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(NARROWEST, options.max_width)


def _joined(lines: tuple[Text, ...], width: int) -> Text:
    out = Text(no_wrap=True)
    for i, line in enumerate(lines):
        out.append("   " if i else "").append_text(line)
        if i < len(lines) - 1:
            out.append(" " * max(0, width - line.cell_len))
    return out


def _drawn(plot: Plot, width: int, signs: _Signs) -> list[Text]:
    """Two lines of words, the drawing, the load axis."""
    values = [dot.value for _, dots in plot.curves for dot in dots] + [limit for _, limit in plot.limits]
    y = _upright(values)
    labels = {round(y(tick)) // 4: price(tick) for tick in y.ticks(_LEVELS)}
    labels.update((round(y(limit)) // 4, significant(limit)) for _, limit in plot.limits)
    left = max(map(cell_len, labels.values())) + 1
    canvas = _Canvas(width - left - 1, signs)
    loads = sorted({dot.load for _, dots in plot.curves for dot in dots})
    log_x = loads[0] > 0 and loads[-1] / loads[0] >= _LOG_LOADS
    x = Scale(loads[0], loads[-1], 1, 2 * canvas.width - 2, log=log_x)
    for _, limit in plot.limits:
        canvas.level(round(y(limit)) // 4)
    for i, (_, dots) in enumerate(plot.curves):
        canvas.curve([(round(x(dot.load)), round(y(dot.value))) for dot in dots], dots, i)
    title = f"{plot.title}, {plot.unit}" + (" (log scale)" if y.log else "")
    out = [Text(title, style="bold", no_wrap=True), _legend(plot, signs)]
    for row in range(ROWS):
        head = labels.get(row, "").rjust(left - 1)
        out.append(Text(f"{head} {signs.upright}", no_wrap=True).append_text(canvas.row(row)))
    places = [(round(x(load)) // 2, f"{load:,.4g}") for load in loads]
    return [*out, *_load_axis(places, left, canvas.width, plot.load_unit + (" (log scale)" if log_x else ""), signs)]


def _upright(values: list[float]) -> Scale:
    low, high = min(values), max(values)
    bottom = 4 * ROWS - 1
    if low > 0 and high / low > _LOG_VALUES:
        return Scale(round_down(low), round_up(high), bottom, 0, log=True)
    return Scale(0.0, high * 1.05 or 1.0, bottom, 0)


def _legend(plot: Plot, signs: _Signs) -> Text:
    out = Text(no_wrap=True)
    for i, (label, _) in enumerate(plot.curves):
        out.append("  " if i else "").append(f"{signs.marks[i]} {label}", style=_STYLES[i])
    for label, limit in plot.limits:
        out.append(f"  {signs.limit * 2} {label} {significant(limit)}", style="yellow")
    if any(dot.slo_met is False for _, dots in plot.curves for dot in dots):
        out.append(f"  {signs.broken} SLO broken", style="red")
    return out


def _load_axis(places: list[tuple[int, str]], left: int, width: int, unit: str, signs: _Signs) -> list[Text]:
    """The axis with a tick at each load, the loads that there is room for, and what they count."""
    ticks = {place for place, _ in places}
    line = "".join(signs.tick if i in ticks else signs.level for i in range(width))
    row = [" "] * (left + 1 + width)
    free = 0
    for place, label in places:
        start = min(max(left + 1 + place - len(label) // 2, 0), len(row) - len(label))
        if start >= free:
            row[start : start + len(label)] = label
            free = start + len(label) + 1
    return [
        Text(" " * left + signs.corner + line, no_wrap=True),
        Text("".join(row).rstrip(), no_wrap=True),
        Text(unit.rjust(left + 1 + width), style="dim", no_wrap=True),
    ]


@dataclass(slots=True)
class _Canvas:
    """Cells of characters: what stands in each, and whose it is."""

    width: int
    signs: _Signs
    _dots: dict[tuple[int, int], int] = field(default_factory=dict)  # (row, column) -> Braille bits
    _whose: dict[tuple[int, int], str] = field(default_factory=dict)
    _marks: dict[tuple[int, int], str] = field(default_factory=dict)

    def level(self, row: int) -> None:
        for column in range(self.width):
            self._marks.setdefault((row, column), self.signs.limit)
            self._whose.setdefault((row, column), "yellow")

    def curve(self, places: list[tuple[int, int]], dots: tuple[Dot, ...], which: int) -> None:
        style = _STYLES[which]
        for (x0, y0), (x1, y1) in pairwise(places):
            n = max(abs(x1 - x0), abs(y1 - y0), 1)
            for i in range(n + 1):
                self._dot(round(x0 + (x1 - x0) * i / n), round(y0 + (y1 - y0) * i / n), style)
        for (x, y), dot in zip(places, dots, strict=True):
            self._marks[y // 4, x // 2] = self.signs.broken if dot.slo_met is False else self.signs.marks[which]
            self._whose[y // 4, x // 2] = style

    def _dot(self, x: int, y: int, style: str) -> None:
        cell = (y // 4, x // 2)
        if self._marks.get(cell) == self.signs.limit:
            del self._marks[cell]
        if cell not in self._marks:
            self._dots[cell] = self._dots.get(cell, 0) | _DOTS[y % 4][x % 2]
            self._whose[cell] = style

    def row(self, row: int) -> Text:
        out = Text()
        for column in range(self.width):
            cell = (row, column)
            line = self.signs.line or chr(_BRAILLE | self._dots.get(cell, 0))
            out.append(self._marks.get(cell) or (line if cell in self._dots else " "), style=self._whose.get(cell, ""))
        out.rstrip()
        return out
