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

WIDE, NARROW = ("wide", 470), ("narrow", 340)
RIGHT, TOP, BOTTOM, ROW = 16, 44, 40, 24
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
        wide, narrow = (_draw(f"tornado-{i}-{size}", width, name, now, bars, alt) for size, width in (WIDE, NARROW))
        found.append(Chart(f"tornado-{i}", title, alt, wide, narrow))
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


def _draw(id_: str, width: int, name: str, now: float, bars: Sequence[Bar], alt: str) -> str:
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
    left = max(svg.width_of(bar.name, bold=bar.flips) for bar in bars) + 14
    x = svg.Scale(low - pad, high + pad, left, width - RIGHT)
    bottom = float(height - BOTTOM)
    words = f"now {amount(now)}"
    parts = [
        svg.text(4, 14, f"against {svg.fitted(name, width - 70, bold=True)}", "panel-title"),
        *_axis(x, bottom, width),
        *(part for i, bar in enumerate(bars) for part in _bar(bar, x, TOP + ROW * i)),
        svg.line((x(now), TOP - 6), (x(now), bottom), "own"),
        svg.text(svg.centred(words, x(now), x.start, x.end), TOP - 11, words, "own-label"),
    ]
    if x.low <= 0 <= x.high:
        parts.append(svg.line((x(0), TOP - 6), (x(0), bottom), "zero"))
    return svg.document(width, height, f"Saving against {name}, one input at a time", alt, parts, id_=id_)


def _axis(x: svg.Scale, bottom: float, width: int) -> list[Markup]:
    ticks = svg.across(x, lambda tick: f"{tick:,.0f}".replace("-", "−"), 5, (0, width))
    grid = [svg.line((place, TOP - 6), (place, bottom), "grid") for place, _ in ticks]
    return [*grid, *svg.level_axis(x, bottom, ticks, "saving of self-hosting, USD a month")]


def _bar(bar: Bar, x: svg.Scale, top: float) -> list[Markup]:
    start, end = sorted(map(x, bar.savings))
    label = svg.element("title", bar.moved)
    kind = "bar flips" if bar.flips else "bar"
    rect = svg.rect(start, top + 4.0, max(end - start, 1.5), ROW - 10.0, kind, label)
    name = svg.text(x.start - 8, top + 15, bar.name, "flip-name" if bar.flips else "tick", "end")
    return [rect, name]
