"""What would change the answer: one input at a time, all of them at once, and the value that flips it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.base.rounding import NA, amount, exact_volume, significant, volume, whole
from harness.report.charts.tornado import tornado_charts
from harness.report.model import Block, Cell, Column, Row, Table, Text
from harness.report.text import clean, count, input_words, percent
from harness.rundir.decision import Arm, Decision
from harness.rundir.whatif import FlipPoint, Flips, MonteCarlo

_NO_FLIP = "no value"


def doubt_blocks(decision: Decision) -> tuple[Block, ...]:
    """Sensitivity and simulation; empty without a volume."""
    charts = tornado_charts(decision)
    moving = (Text(_most_moving(decision.arms)),) if charts else ()
    tables = (flip_table(decision.arms), simulation_table(decision.arms))
    return (*moving, *charts, *(table for table in tables if table is not None))


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
    rows = [
        Row(
            (
                Cell(input_words(name)),
                Cell(_now(point), note="" if point.unit == "share" else clean(point.unit)),
                *(_flip_cell(one.get(name)) for one in points),
            )
        )
        for name, point in known.items()
    ]
    columns = [Column("input", right=False), Column("now")]
    columns += [Column(clean(arm.name), right=False) for arm in arms]
    return Table(
        caption="The value at which the answer changes, everything else as it is",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=(
            "First line: where the winner at your volume changes. Beneath it: where the verdict over all volumes "
            "(never, window, yes) changes, if anywhere.",
        ),
    )


def _now(point: FlipPoint) -> str:
    return exact_volume(point.value) if point.unit == "tasks" else _shown(point.unit, point.value)


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
    return Table(
        caption=f"How sure that is: {draws} of everything uncertain at once",
        columns=(
            Column("API arm", right=False),
            Column("self-host wins", "at your volume"),
            Column("verdict never", "share"),
            Column("window", "share"),
            Column("yes", "share"),
            Column("saving p05", "USD a month"),
            Column("p50", "USD a month"),
            Column("p95", "USD a month"),
            Column("measure better first", right=False),
        ),
        rows=tuple(_simulation_row(name, drawn) for name, drawn in known),
        notes=(f"Drawn: {what}.",),
    )


def _simulation_row(name: str, drawn: MonteCarlo) -> Row:
    shares, saving = drawn.verdict_shares, drawn.saving_usd_per_month
    quantiles = (saving.p05, saving.p50, saving.p95) if saving is not None else (None, None, None)
    first = next((one for one in drawn.narrow_first if one.doubt_removed), None)
    return Row(
        (
            Cell(name),
            Cell(percent(drawn.probability_self_host_wins)),
            *(Cell(percent(share)) for share in (shares.never, shares.window, shares.yes)),
            *(Cell(amount(quantile)) for quantile in quantiles),
            Cell(
                input_words(first.input) if first else "nothing: the answer is sure",
                note=f"{percent(first.doubt_removed)} of the doubt" if first else "",
                tone="" if first else "muted",
            ),
        )
    )


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
