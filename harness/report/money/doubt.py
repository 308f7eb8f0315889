"""What would change the answer: one input at a time, all of them at once, and the value that flips it."""

from collections.abc import Callable, Mapping, Sequence

from harness.base.rounding import NA, amount, exact_volume, significant, volume, whole
from harness.report.charts.tornado import tornado_charts
from harness.report.model import Block, Cell, Table, Text, table_of
from harness.report.text import clean, count, input_words, percent
from harness.rundir.decision import Arm, Decision
from harness.rundir.whatif import FlipPoint, Flips, MonteCarlo

_NO_FLIP = "no value"


def doubt_blocks(decision: Decision) -> tuple[Block | None, ...]:
    """Sensitivity and simulation; empty without a volume."""
    charts = tornado_charts(decision)
    moving = Text(_most_moving(decision.arms)) if charts else None
    return (moving, *charts, flip_table(decision.arms), simulation_table(decision.arms))


def _most_moving(arms: Sequence[Arm]) -> str:
    """Which inputs flip the answer within their range, in words."""
    flips = []
    for arm in arms:
        swings = arm.sensitivity.tornado if arm.sensitivity is not None else ()
        names = [input_words(swing.input) for swing in swings if swing.flips]
        if names:
            flips.append(f"{clean(arm.name)}: {', '.join(names)}")
    ranges = "Each input alone, moved over its range (±20 % where the demand gives none)"
    if not flips:
        return f"{ranges}: none of them changes a verdict or the winner at your volume."
    return f"{ranges}. These change a verdict or the winner at your volume: {'; '.join(flips)}."


def flip_table(arms: Sequence[Arm]) -> Table | None:
    """The value of each input at which the winner at the reader's volume changes; beneath, the verdict."""
    points = [
        {point.input: point for point in arm.sensitivity.flip_points} if arm.sensitivity is not None else {}
        for arm in arms
    ]
    known = {name: point for one in points for name, point in one.items()}
    if not known:
        return None
    return table_of(
        "The value at which the answer changes, everything else as it is",
        known.values(),
        ("input", None, lambda point: input_words(point.input)),
        ("now", "", _now),
        *((clean(arm.name), None, _flips_in(one)) for arm, one in zip(arms, points, strict=True)),
        notes=(
            "First line: where the winner at your volume changes. Beneath it: where the verdict over all volumes "
            "(never, window, yes) changes, if anywhere.",
        ),
    )


def _flips_in(points: Mapping[str, FlipPoint]) -> Callable[[FlipPoint], Cell]:
    return lambda point: _flip_cell(points.get(point.input))


def _now(point: FlipPoint) -> Cell:
    value = exact_volume(point.value) if point.unit == "tasks" else _shown(point.unit, point.value)
    return Cell(value, note="" if point.unit == "share" else clean(point.unit))


def _shown(unit: str, value: float) -> str:
    if unit == "tasks":
        return volume(value)
    if unit == "share":
        return percent(value)
    return amount(value) if unit == "USD" else significant(value)


def _flip_cell(point: FlipPoint | None) -> Cell:
    if point is None:
        return Cell(NA, tone="muted")
    winner, verdict = _sides(point.unit, point.winner_flips), _sides(point.unit, point.verdict_flips)
    return Cell(winner or _NO_FLIP, note=f"verdict: {verdict}" if verdict else "", tone="" if winner else "muted")


def _sides(unit: str, flips: Flips) -> str:
    ends = (("below", flips.below), ("above", flips.above))
    return " or ".join(f"{side} {_shown(unit, value)}" for side, value in ends if value is not None)


def simulation_table(arms: Sequence[Arm]) -> Table | None:
    """How sure the answer is: shares of the verdicts and quantiles of the saving over all draws."""
    known = [(clean(arm.name), arm.monte_carlo) for arm in arms if arm.monte_carlo is not None]
    if not known:
        return None
    varied = {one.input: one for _, drawn in known for one in drawn.varied}
    what = "; ".join(
        f"{input_words(name)} {significant(one.low)} to {significant(one.high)} ({one.said_by})"
        for name, one in varied.items()
    )
    draws = count(max(drawn.draws for _, drawn in known), "draw")
    return table_of(
        f"How sure that is: {draws} of everything uncertain at once",
        [(name, drawn, drawn.verdict_shares, drawn.saving_usd_per_month) for name, drawn in known],
        ("API arm", None, lambda row: row[0]),
        ("self-host wins", "at your volume", lambda row: percent(row[1].probability_self_host_wins)),
        ("verdict never", "share", lambda row: percent(row[2].never)),
        ("window", "share", lambda row: percent(row[2].window)),
        ("yes", "share", lambda row: percent(row[2].yes)),
        ("saving p05", "USD a month", lambda row: amount(row[3].p05 if row[3] else None)),
        ("p50", "USD a month", lambda row: amount(row[3].p50 if row[3] else None)),
        ("p95", "USD a month", lambda row: amount(row[3].p95 if row[3] else None)),
        ("measure better first", None, lambda row: _first_to_measure(row[1])),
        notes=(f"Drawn: {what}.",),
    )


def _first_to_measure(drawn: MonteCarlo) -> Cell:
    first = next((one for one in drawn.narrow_first if one.doubt_removed), None)
    if first is None:
        return Cell("nothing: the answer is sure", tone="muted")
    return Cell(input_words(first.input), note=f"{percent(first.doubt_removed)} of the doubt")


def resampling_words(arm: Arm) -> str:
    """`in 10,000 draws self-hosting wins at your volume in 12 %; the verdict is another in 3 %`, or nothing."""
    drawn = arm.monte_carlo
    if drawn is None:
        return ""
    wins = percent(drawn.probability_self_host_wins)
    others = percent(1 - drawn.verdict_shares.of(arm.decision.verdict))
    return (
        f"In {whole(drawn.draws)} draws of what is uncertain, self-hosting wins at your volume in {wins}; "
        f"the verdict is another in {others}."
    )
