"""What would change the answer: one input at a time, two at a time, and where the verdict flips."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.base.errors import UsageError
from harness.base.units import HOURS_PER_MONTH
from harness.cost.breakeven.decision import comes_and_goes, decide_parsed, is_metered, staircase
from harness.cost.breakeven.vector import Case, Outcome, case_of, evaluate
from harness.cost.whatif.knobs import Knob, knobs
from harness.cost.whatif.ranges import Range, ranges_of
from harness.rundir.decide import DecideInput
from harness.rundir.whatif import Axis, BreakEvenValues, FlipPoint, Flips, Sensitivity, Swing, TwoWay

Codes = npt.NDArray[np.int8]

REACH = 100.0  # a flip point is looked for up to so many times the present value
GRID = 400
REFINEMENTS = 4  # each narrows a flip point by GRID


def tornado(case: Case, turned: Sequence[Knob], ranges: Mapping[str, Range]) -> tuple[Swing, ...]:
    """Each input alone at the low and the high end of its range; the widest swing of the saving first."""
    now = evaluate(case)
    swings = [_swing(case, now, knob, ranges[knob.name]) for knob in turned]
    return tuple(sorted(swings, key=lambda swing: swing.width_usd or 0.0, reverse=True))


def _swing(case: Case, now: Outcome, knob: Knob, over: Range) -> Swing:
    ends = evaluate(knob.set(case, np.array([over.low, over.high])))
    (saving_at_low, saving_at_high), verdicts, winners = ends.savings(), ends.verdicts(), ends.winners()
    return Swing(
        input=knob.name,
        unit=knob.unit,
        value=knob.value,
        low=over.low,
        high=over.high,
        range_from=over.whose,
        saving_usd_at_low=saving_at_low,
        saving_usd_at_high=saving_at_high,
        verdict_at_low=verdicts[0],
        verdict_at_high=verdicts[1],
        winner_at_low=winners[0],
        winner_at_high=winners[1],
        flips_verdict=set(verdicts) != set(now.verdicts()),
        flips_winner=set(winners) != set(now.winners()),
    )


def flip_points(case: Case, turned: Sequence[Knob]) -> tuple[FlipPoint, ...]:
    """For each input the nearest values, below and above the present one, at which winner or verdict change.

    Looked for down to the input's lowest value and up to 100 times the present one.
    """
    return tuple(
        FlipPoint(
            input=knob.name,
            unit=knob.unit,
            value=knob.value,
            winner_flips=_flips(case, knob, lambda out: out.self_host_wins.astype(np.int8)),
            verdict_flips=_flips(case, knob, lambda out: out.verdict),
        )
        for knob in turned
    )


def _flips(case: Case, knob: Knob, read: Callable[[Outcome], Codes]) -> Flips:
    top = knob.value * REACH if knob.value > 0 else 1.0
    return Flips(
        below=_nearest_change(case, knob, knob.lowest, read),
        above=_nearest_change(case, knob, min(top, knob.highest), read),
    )


def _nearest_change(case: Case, knob: Knob, end: float, read: Callable[[Outcome], Codes]) -> float | None:
    """The value nearest to the present one, on the way to `end`, from which on the reading is another."""
    if knob.value == end:
        return None
    now = read(evaluate(case)).reshape(-1)[0]
    same, other = knob.value, end
    for refinement in range(REFINEMENTS):
        up = refinement == 0 and end > same > 0
        points = (np.geomspace if up else np.linspace)(same, other, GRID + 1)[1:]
        changed = np.flatnonzero(read(evaluate(knob.set(case, points))) != now)
        if changed.size == 0:
            return None if refinement == 0 else other
        first = int(changed[0])
        same, other = (float(points[first - 1]) if first else same), float(points[first])
    return other


def two_way(case: Case, x: Knob, y: Knob, x_factors: Sequence[float], y_factors: Sequence[float]) -> TwoWay:
    """The monthly saving and the winner over all pairs of two inputs, each at these factors of its present value.

    Rows are `y`, columns `x`.
    """
    x_values, y_values = (
        tuple(min(max(knob.value * factor, knob.lowest), knob.highest) for factor in factors)
        for knob, factors in ((x, x_factors), (y, y_factors))
    )
    xs, ys = np.meshgrid(np.asarray(x_values, float), np.asarray(y_values, float))
    out = evaluate(y.set(x.set(case, xs.ravel()), ys.ravel()))
    rows = [slice(i, i + len(x_values)) for i in range(0, xs.size, len(x_values))]
    savings, winners, verdicts = out.savings(), out.winners(), out.verdicts()
    return TwoWay(
        x=Axis(input=x.name, values=x_values),
        y=Axis(input=y.name, values=y_values),
        saving_usd=tuple(tuple(savings[row]) for row in rows),
        winner=tuple(tuple(winners[row]) for row in rows),
        verdict=tuple(tuple(verdicts[row]) for row in rows),
    )


def two_way_table(inputs: DecideInput, x: str, y: str) -> TwoWay:
    """Any two inputs by name against each other, each at these factors of its present value.

    Raises:
        UsageError: an input that does not exist, or whose present value is 0; or no volume.
    """
    if inputs.workload.tasks_per_month is None:
        raise UsageError("a two-way table needs a volume", hint="give `workload.tasks_per_month`")
    by_name = {knob.name: knob for knob in knobs(inputs) if knob.value > 0}
    for name in (x, y):
        if name not in by_name:
            raise UsageError(f"no input `{name}` above 0 to turn", hint=f"known: {', '.join(by_name)}")
    case = case_of(inputs, inputs.workload.tasks_per_month)
    return two_way(case, by_name[x], by_name[y], _GOODPUTS, _GOODPUTS)


def sensitivity(
    inputs: DecideInput, *, people_usd: float = 0, ranges: Mapping[str, Range] | None = None
) -> Sensitivity | None:
    """Tornado, flip points, break-even values and a two-way table of one arm; None without a volume.

    `ranges` as `ranges_of` gives them; without them its own.
    """
    if inputs.workload.tasks_per_month is None:
        return None
    case = case_of(inputs, inputs.workload.tasks_per_month)
    turned = [knob for knob in knobs(inputs, people_usd) if knob.value > 0 or knob.unit == "share"]
    (saving,) = evaluate(case).savings()
    return Sensitivity(
        saving_usd_per_month=saving,
        tornado=tornado(case, turned, ranges or ranges_of(inputs, people_usd)),
        flip_points=flip_points(case, turned),
        break_even=break_even_values(inputs, people_usd),
        two_way=_default_table(case, {knob.name: knob for knob in turned}),
    )


def break_even_values(inputs: DecideInput, people_usd: float = 0) -> BreakEvenValues | None:
    """The value of each input at which both sides cost the same at the reader's volume, the rest as it is.

    None for an input that no value above 0 brings to a tie; `utilization` is the first winning volume's.
    """
    decided = decide_parsed(inputs)
    at, box = decided.at_volume, inputs.self_host
    if at is None or at.self_usd is None or at.instances is None:
        return None
    first, stairs = decided.first_win_tasks_per_month, staircase(inputs, box.goodput_requests_per_s)
    unlisted_usd = inputs.api.fixed_usd_per_month + inputs.beside_usd("api", at.tasks_per_month)
    listed_usd = at.api_usd - unlisted_usd  # calls and units
    other_usd = box.fixed_usd_per_month + inputs.beside_usd("self_host", at.tasks_per_month)
    box_usd, running_usd = at.api_usd - other_usd, at.self_usd - other_usd
    hours = running_usd / box.usd_per_hour if box.usd_per_hour else 0.0
    if not comes_and_goes(box) and not is_metered(box):
        hours = at.instances * HOURS_PER_MONTH
    return BreakEvenValues(
        tasks_per_month=first,
        utilization=None if first is None else stairs.utilization(first),
        goodput_requests_per_s=decided.min_goodput_requests_per_s,
        usd_per_hour=_positive(box_usd / hours) if hours and box.usd_per_second is None else None,
        api_price_factor=_positive((at.self_usd - unlisted_usd) / listed_usd) if listed_usd else None,
        people_usd_per_month=_positive(at.api_usd - (at.self_usd - people_usd)),
    )


def _positive(value: float) -> float | None:
    return value if value > 0 else None


_VOLUMES = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # times the reader's own
_GOODPUTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)  # times the measured one


def _default_table(case: Case, by_name: Mapping[str, Knob]) -> TwoWay | None:
    tasks, goodput = by_name.get("tasks_per_month"), by_name.get("goodput_requests_per_s")
    if tasks is None or goodput is None:
        return None
    return two_way(case, tasks, goodput, _VOLUMES, _GOODPUTS)
