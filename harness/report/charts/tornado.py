"""What one input at a time does to the monthly saving: a tornado per API arm, widest bar first."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from harness.base.rounding import amount, significant, usd
from harness.report.charts import svg
from harness.report.model import Chart
from harness.report.text import clean, input_words
from harness.rundir.decision import Decision
from harness.rundir.whatif import Swing

WIDTH, LEFT, RIGHT, TOP, BOTTOM, ROW = 470, 150, 16, 44, 36, 24
MOST_BARS = 9


@dataclass(frozen=True, slots=True)
class Bar:
    """One input: its name in words, and the saving with it at its low and its high end, in USD a month."""

    name: str
    moved: str  # with the range of the input's own values
    savings: tuple[float, float]
    flips: bool  # the winner or the verdict is another at one of the ends


def tornado_charts(decision: Decision) -> list[Chart]:
    """One drawing for each arm that has a sensitivity with a saving."""
    found = []
    for i, arm in enumerate(decision.arms):
        now = arm.sensitivity.saving_usd_per_month if arm.sensitivity is not None else None
        bars = bars_of(arm.sensitivity.tornado) if arm.sensitivity is not None else []
        if now is None or not bars:
            continue
        name = clean(arm.name)
        title = f"Saving against {name}, one input at a time"
        alt = _described(name, now, bars)
        drawing = _draw(f"tornado-{i}", name, now, bars, alt)
        found.append(Chart(f"tornado-{i}", title, alt, drawing, drawing))
    return found


def bars_of(swings: Sequence[Swing]) -> list[Bar]:
    """The inputs that move the saving, in the decision's order: widest first."""
    bars = []
    for swing in swings:
        name, low, high = input_words(swing.input), swing.saving_usd_at_low, swing.saving_usd_at_high
        if low is not None and high is not None and low != high:
            moved = f"{name} {significant(swing.low)} to {significant(swing.high)}"
            bars.append(Bar(name, moved, (low, high), swing.flips))
    return bars[:MOST_BARS]


def _described(name: str, now: float, bars: Sequence[Bar]) -> str:
    moved = "; ".join(
        f"{bar.moved}: {' to '.join(map(amount, bar.savings))}{', which flips the answer' if bar.flips else ''}"
        for bar in bars
    )
    return (
        f"Against {name} self-hosting saves {usd(now)} a month now. "
        f"One input at a time, saving in USD a month: {moved}."
    )


def _draw(id_: str, name: str, now: float, bars: Sequence[Bar], alt: str) -> str:
    height = TOP + ROW * len(bars) + BOTTOM
    ends = [end for bar in bars for end in bar.savings] + [now]
    low, high = min(ends), max(ends)
    reach = high - low
    # break-even belongs into the drawing when it is near; far away it would squeeze the bars to nothing
    if low > 0 and low < reach:
        low = 0.0
    if high < 0 and -high < reach:
        high = 0.0
    pad = (high - low) * 0.06
    x = svg.Scale(low - pad, high + pad, LEFT, WIDTH - RIGHT)
    bottom = float(height - BOTTOM)
    parts = [
        svg.text(4, 14, f"against {svg.cut(name, 44)}", "panel-title"),
        *_axis(x, bottom),
        *(part for i, bar in enumerate(bars) for part in _bar(bar, x, TOP + ROW * i)),
        svg.line((x(now), TOP - 6), (x(now), bottom), "own"),
        svg.text(x(now), TOP - 11, f"now {amount(now)}", "own-label", _anchor(x, now)),
    ]
    if x.low <= 0 <= x.high:
        parts.append(svg.line((x(0), TOP - 6), (x(0), bottom), "zero"))
    return svg.document(WIDTH, height, f"Saving against {name}, one input at a time", alt, parts, id_=id_)


def _anchor(x: svg.Scale, value: float) -> str:
    share = (x(value) - x.start) / (x.end - x.start)
    return "start" if share < 0.15 else "end" if share > 0.85 else "middle"


def _axis(x: svg.Scale, bottom: float) -> list[Markup]:
    parts = [svg.line((x.start, bottom), (x.end, bottom), "axis")]
    for tick in x.ticks(5):
        parts.append(svg.line((x(tick), TOP - 6), (x(tick), bottom), "grid"))
        parts.append(svg.text(x(tick), bottom + 16, f"{tick:,.0f}".replace("-", "−"), "tick", "middle"))
    parts.append(svg.text(x.end, bottom + 31, "saving of self-hosting, USD a month", "axis-title", "end"))
    return parts


def _bar(bar: Bar, x: svg.Scale, top: float) -> list[Markup]:
    start, end = sorted(map(x, bar.savings))
    label = svg.element("title", bar.moved)
    kind = "bar flips" if bar.flips else "bar"
    rect = svg.rect(start, top + 4.0, max(end - start, 1.5), ROW - 10.0, kind, label)
    name = svg.text(LEFT - 8, top + 15, bar.name, "flip-name" if bar.flips else "tick", "end")
    return [rect, name]
