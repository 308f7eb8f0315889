"""What would change the answer: one input at a time, all of them at once, and the value that flips it."""

from collections.abc import Callable, Mapping, Sequence

from harness.base.rounding import NA, amount, exact_volume, significant, volume, whole
from harness.cost.whatif.ranges import DEMAND
from harness.report.charts.tornado import tornado_charts
from harness.report.model import Block, Cell, Field, Table, Text, table_of
from harness.report.text import clean, count, input_words, percent
from harness.rundir.decision import Arm, Decision
from harness.rundir.whatif import Distribution, FirstWins, FlipPoint, Flips, MonteCarlo, Swing, Varied

_NO_FLIP = "no value"
WORTH_KNOWING = 0.01  # of the doubt: below it a few draws of many disagree
_OfArm = Field[tuple[str, MonteCarlo]]


def doubt_blocks(decision: Decision) -> tuple[Block | None, ...]:
    """Sensitivity, where there is a volume, and simulation."""
    charts = tornado_charts(decision)
    moving = Text(_most_moving(decision.arms)) if charts else None
    arms = decision.arms
    return (moving, *charts, flip_table(arms), drawn_table(arms), simulation_table(arms))


def _most_moving(arms: Sequence[Arm]) -> str:
    """Which inputs flip the answer within their range, in words."""
    flips = []
    for arm in arms:
        swings = arm.sensitivity.tornado if arm.sensitivity is not None else ()
        names = [input_words(swing.input) for swing in swings if swing.flips]
        if names:
            flips.append(f"{clean(arm.name)}: {', '.join(names)}")
    ranges = "Each input alone, moved over its range"
    if not flips:
        return f"{ranges}: none of them changes a verdict or the winner at your volume."
    return f"{ranges}. These change a verdict or the winner at your volume: {'; '.join(flips)}."


def flip_table(arms: Sequence[Arm]) -> Table | None:
    """Each input's range, and the value at which the winner at the reader's volume changes; beneath, the verdict."""
    points = [
        {point.input: point for point in arm.sensitivity.flip_points} if arm.sensitivity is not None else {}
        for arm in arms
    ]
    known = {name: point for one in points for name, point in one.items()}
    if not known:
        return None
    ranges = {swing.input: swing for arm in arms if arm.sensitivity is not None for swing in arm.sensitivity.tornado}
    drawn = {one.input for one in _varied(arms)}
    return table_of(
        "The value at which the answer changes, everything else as it is",
        known.values(),
        ("input", None, lambda point: input_words(point.input)),
        ("now", "", _now),
        ("range", "", lambda point: _range_cell(ranges[point.input], is_drawn=point.input in drawn)),
        *((clean(arm.name), None, _flips_in(one)) for arm, one in zip(arms, points, strict=True)),
        notes=(
            "First line: where the winner at your volume changes. Beneath it: where the verdict over all volumes "
            "(never, window, yes) changes, if anywhere.",
            *_range_notes(arms),
        ),
    )


def _range_cell(over: Swing | Varied, *, is_drawn: bool) -> Cell:
    """`200k to 800k`, and whose word that is."""
    low, high = _shown(over.unit, over.low), _shown(over.unit, over.high)
    whose = clean(over.range_from).replace("+-", "±")
    whose = {DEMAND: "yours"}.get(whose, whose)
    return Cell(f"{low} to {high}" if low != high else low, note=whose if is_drawn else f"{whose}, not drawn")


def _range_notes(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Who gave the ranges that were drawn, and how."""
    varied = _varied(arms)
    if not varied:
        return ()
    return (
        _who_gave(varied),
        "Drawn as triangles with their top at the present value, a measured interval as a normal one; calls that fail "
        "are made again; the rest is held as given. `ranges` of a demand file takes the place of any range; equal ends "
        "hold an input.",
    )


def _flips_in(points: Mapping[str, FlipPoint]) -> Callable[[FlipPoint], Cell]:
    return lambda point: _flip_cell(points.get(point.input))


def _now(point: FlipPoint) -> Cell:
    value = exact_volume(point.value) if point.unit == "tasks" else _shown(point.unit, point.value)
    return Cell(value, note=_unit(point.unit))


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
    """How sure the answer is: shares of the verdicts, quantiles of saving and first winning volume over all draws."""
    known = [(clean(arm.name), arm.monte_carlo) for arm in arms if arm.monte_carlo is not None]
    if not known:
        return None
    at_volume: tuple[_OfArm, ...] = (
        ("self-host wins", "at your volume", lambda row: percent(row[1].probability_self_host_wins)),
        ("saving", "USD a month", lambda row: _saving_cell(row[1].saving_usd_per_month)),
    )
    windows: _OfArm = ("only in windows", "share", lambda row: percent(row[1].verdict_shares.window))
    has_volume = any(drawn.probability_self_host_wins is not None for _, drawn in known)
    draws = count(max(drawn.draws for _, drawn in known), "draw")
    return table_of(
        f"How sure that is: {draws} of everything uncertain at once",
        known,
        ("API arm", None, lambda row: row[0]),
        *(at_volume if has_volume else ()),
        ("first wins from", "tasks a month", lambda row: _first_win_cell(row[1].first_win_tasks_per_month)),
        ("never wins", "share", lambda row: percent(row[1].verdict_shares.never)),
        *((windows,) if any(drawn.verdict_shares.window for _, drawn in known) else ()),
        ("for good", "share", lambda row: percent(row[1].verdict_shares.yes)),
        ("measure better first", None, lambda row: _first_to_measure(row[1])),
        notes=("The middle draw (p50), and p05 to p95: 90 % of the draws lie between them.",),
    )


def _saving_cell(saving: Distribution | None) -> Cell:
    if saving is None:
        return Cell(NA, tone="muted")
    return _quantiles_cell(*map(amount, (saving.p05, saving.p50, saving.p95)))


def _first_win_cell(first: FirstWins | None) -> Cell:
    if first is None:
        return Cell(NA, tone="muted")
    return _quantiles_cell(*_first_volumes(first))


def _quantiles_cell(low: str, middle: str, high: str) -> Cell:
    return Cell(middle, note="the same in 90 % of the draws" if low == high else f"{low} to {high}")


def _first_volumes(first: FirstWins) -> tuple[str, str, str]:
    """p05, p50 and p95 as a reader sees them: a volume, or never."""
    low, middle, high = ("never" if tasks is None else volume(tasks) for tasks in (first.p05, first.p50, first.p95))
    return low, middle, high


def _first_to_measure(drawn: MonteCarlo) -> Cell:
    first = next((one for one in drawn.narrow_first if one.doubt_removed >= WORTH_KNOWING), None)
    if first is None:
        return Cell("nothing: the answer is sure", tone="muted")
    return Cell(input_words(first.input), note=f"{percent(first.doubt_removed)} of the doubt")


def drawn_table(arms: Sequence[Arm]) -> Table | None:
    """What was drawn beside what the table of flips says of it: between which values, and what each does alone to the
    first winning volume; what would remove most doubt first.
    """
    flips = {point.input for arm in arms if arm.sensitivity is not None for point in arm.sensitivity.flip_points}
    varied = [one for one in _varied(arms) if one.input not in flips]
    if not varied:
        return None
    known = [(clean(arm.name), arm.monte_carlo) for arm in arms if arm.monte_carlo is not None]
    removed = {row.input: row.doubt_removed for row in known[0][1].narrow_first}
    varied.sort(key=lambda one: removed.get(one.input, 0.0), reverse=True)
    return table_of(
        "What was drawn beside that" if flips else "What was drawn, and where self-hosting first wins by each alone",
        varied,
        ("input", None, lambda one: input_words(one.input)),
        ("now", "", lambda one: Cell(_shown(one.unit, one.value), note=_unit(one.unit))),
        ("range", "", lambda one: _range_cell(one, is_drawn=True)),
        *((name, "tasks a month", _first_wins_by(drawn)) for name, drawn in known),
        notes=() if flips else _range_notes(arms),
    )


def _first_wins_by(drawn: MonteCarlo) -> Callable[[Varied], Cell]:
    by_input = {one.input: one for one in drawn.varied}
    return lambda one: _alone_cell(by_input.get(one.input))


def _alone_cell(one: Varied | None) -> Cell:
    """`5.7M to 15M`: with the input at its lowest, and at its highest."""
    if one is None:
        return Cell(NA, tone="muted")
    low, high = ("never" if tasks is None else volume(tasks) for tasks in (one.first_win_at_low, one.first_win_at_high))
    return Cell(f"always {low}" if low != "never" else low, tone="muted") if low == high else Cell(f"{low} to {high}")


def _varied(arms: Sequence[Arm]) -> list[Varied]:
    """Every input that was drawn, once."""
    drawn = [one for arm in arms if arm.monte_carlo is not None for one in arm.monte_carlo.varied]
    return list({one.input: one for one in drawn}.values())


def _unit(unit: str) -> str:
    return "" if unit == "share" else clean(unit)


def _known(varied: Sequence[Varied]) -> str:
    """The inputs of which a range is measured, listed or given, in words; empty where all are assumed."""
    *others, last = [input_words(one.input) for one in varied if not one.range_from.startswith("assumed")] or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _who_gave(varied: Sequence[Varied]) -> str:
    known = _known(varied)
    if not known:
        return "Nobody gave a range: all are assumed."
    assumed = any(one.range_from.startswith("assumed") for one in varied)
    others = "the others are assumed" if assumed else "none is assumed"
    return f"Ranges that are measured, listed or given: of {known}; {others}."


def resampling_words(arm: Arm) -> str:
    """`in 10,000 draws self-hosting wins at your volume in 12 %; the verdict is another in 3 %`, or nothing."""
    drawn = arm.monte_carlo
    if drawn is None or arm.decision.verdict is None:
        return ""
    said = f"In {whole(drawn.draws)} draws of what is uncertain, self-hosting"
    if drawn.probability_self_host_wins is None:
        return f"{said} {_first_words(drawn)}{_assumed_words(drawn)}."
    wins = percent(drawn.probability_self_host_wins)
    others = percent(1 - drawn.verdict_shares.of(arm.decision.verdict))
    return f"{said} wins at your volume in {wins}; the verdict is another in {others}{_assumed_words(drawn)}."


def _assumed_words(drawn: MonteCarlo) -> str:
    """That the ranges are assumed, but for those that are not."""
    if not any(one.range_from.startswith("assumed") for one in drawn.varied):
        return ""
    known = _known(drawn.varied)
    return f"; every range but that of {known} is assumed" if known else "; every range is assumed"


def _first_words(drawn: MonteCarlo) -> str:
    """Without a volume: between which volumes it first wins, and in how many draws never."""
    first, share = drawn.first_win_tasks_per_month, drawn.verdict_shares.never
    if first is None or first.p05 is None:
        return f"never wins in {percent(share)}"
    (low, middle, high), never = _first_volumes(first), f" and never in {percent(share)}" if share else ""
    if first.p50 is None:
        return f"never wins in {percent(share)} and first wins below {low} tasks a month in 5 %"
    if first.p95 is None:
        return f"first wins at {middle} tasks a month in the middle one, below {low} in 5 %{never}"
    if low == high:
        return f"first wins at {low} tasks a month{never}"
    return f"first wins between {low} and {high} tasks a month in 90 % (at {middle} in the middle one){never}"
