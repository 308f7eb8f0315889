"""What would change the answer: one input at a time, two at a time, and where the verdict flips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.base.errors import UsageError
from harness.base.units import HOURS_PER_MONTH
from harness.cost.breakeven.decision import decide_parsed
from harness.cost.breakeven.inputs import DecideInput
from harness.cost.breakeven.staircase import ceil
from harness.cost.breakeven.vector import VERDICTS, Case, Outcome, case_of, evaluate
from harness.cost.whatif.knobs import Knob, knobs

SWING = 0.20  # one at a time, unless the demand gives a range
REACH = 100.0  # a flip point is looked for up to so many times the present value
GRID = 400
REFINEMENTS = 4  # each narrows a flip point by GRID


def tornado(
    case: Case, turned: Sequence[Knob], ranges: Mapping[str, tuple[float, float]]
) -> list[dict[str, Any]]:
    """Each input alone at the low and the high end of its range; the widest swing of the saving first.

    The range is the demand's own, else +-20 % (rates of 0: up to 0.1).
    """
    rows = []
    for knob in turned:
        low, high, whose = _range(knob, ranges)
        ends = evaluate(knob.set(case, np.array([low, high])))
        base = evaluate(case)
        rows.append(
            {
                "input": knob.name,
                "unit": knob.unit,
                "value": knob.value,
                "low": low,
                "high": high,
                "range_from": whose,
                "saving_usd_at_low": _number(ends.saving_usd[0]),
                "saving_usd_at_high": _number(ends.saving_usd[1]),
                "verdict_at_low": VERDICTS[ends.verdict[0]],
                "verdict_at_high": VERDICTS[ends.verdict[1]],
                "winner_at_low": winner(ends, 0),
                "winner_at_high": winner(ends, 1),
                "flips_verdict": bool(np.any(ends.verdict != base.verdict)),
                "flips_winner": bool(np.any(ends.self_host_wins != base.self_host_wins)),
            }
        )
    return sorted(rows, key=lambda row: -_swing(row))


def _swing(row: Mapping[str, Any]) -> float:
    low, high = row["saving_usd_at_low"], row["saving_usd_at_high"]
    return -1.0 if low is None or high is None else abs(high - low)


def _range(knob: Knob, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float, str]:
    if knob.name in ranges:
        low, high = ranges[knob.name]
        return low, high, "demand"
    if knob.value == 0:
        return 0.0, 0.1 if knob.unit == "share" else 0.0, "assumed up to 0.1"
    low, high = knob.value * (1 - SWING), knob.value * (1 + SWING)
    return max(low, knob.lowest), min(high, knob.highest), "assumed +-20 %"


def flip_points(case: Case, turned: Sequence[Knob]) -> list[dict[str, Any]]:
    """For each input the nearest values, below and above the present one, at which winner or verdict change.

    Looked for down to the input's lowest value and up to 100 times the present one.
    """
    return [
        {
            "input": knob.name,
            "unit": knob.unit,
            "value": knob.value,
            "winner_flips": _flips(case, knob, lambda out: out.self_host_wins.astype(np.int8)),
            "verdict_flips": _flips(case, knob, lambda out: out.verdict),
        }
        for knob in turned
    ]


def _flips(case: Case, knob: Knob, read: Callable[[Outcome], Any]) -> dict[str, float | None]:
    top = knob.value * REACH if knob.value > 0 else 1.0
    return {
        "below": _nearest_change(case, knob, knob.lowest, read),
        "above": _nearest_change(case, knob, min(top, knob.highest), read),
    }


def _nearest_change(case: Case, knob: Knob, end: float, read: Callable[[Outcome], Any]) -> float | None:
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


def two_way(
    case: Case, x: Knob, y: Knob, x_values: Sequence[float], y_values: Sequence[float]
) -> dict[str, Any]:
    """The monthly saving and the winner over all pairs of two inputs; rows are `y`, columns `x`."""
    xs, ys = np.meshgrid(np.asarray(x_values, float), np.asarray(y_values, float))
    out = evaluate(y.set(x.set(case, xs.ravel()), ys.ravel()))
    shape = xs.shape
    saving = [[_number(v) for v in row] for row in out.saving_usd.reshape(shape)]
    verdict = [[VERDICTS[v] for v in row] for row in out.verdict.reshape(shape)]
    wins = [["self_host" if v else "api" for v in row] for row in out.self_host_wins.reshape(shape)]
    axes = {
        "x": {"input": x.name, "values": list(x_values)},
        "y": {"input": y.name, "values": list(y_values)},
    }
    return {**axes, "saving_usd": saving, "winner": wins, "verdict": verdict}


def two_way_table(
    inputs: DecideInput, x: str, y: str, *, people_usd: float = 0, factors: Sequence[float] = ()
) -> dict[str, Any]:
    """Any two inputs by name against each other, each at these factors of its present value.

    Raises:
        UsageError: an input that does not exist, or whose present value is 0; or no volume.
    """
    if inputs.workload.tasks_per_month is None:
        raise UsageError("a two-way table needs a volume", hint="give `workload.tasks_per_month`")
    by_name = {knob.name: knob for knob in knobs(inputs, people_usd) if knob.value > 0}
    for name in (x, y):
        if name not in by_name:
            raise UsageError(f"no input `{name}` above 0 to turn", hint=f"known: {', '.join(by_name)}")
    case = case_of(inputs, inputs.workload.tasks_per_month)
    turned = [
        [min(max(knob.value * f, knob.lowest), knob.highest) for f in factors or _GOODPUTS]
        for knob in (by_name[x], by_name[y])
    ]
    return two_way(case, by_name[x], by_name[y], *turned)


def winner(outcome: Outcome, at: int = 0) -> str:
    """`self_host` or `api` at one element."""
    return "self_host" if outcome.self_host_wins.reshape(-1)[at] else "api"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def sensitivity(
    inputs: DecideInput, *, people_usd: float = 0, ranges: Mapping[str, tuple[float, float]] | None = None
) -> dict[str, Any] | None:
    """Tornado, flip points, break-even values and a two-way table of one arm; None without a volume."""
    if inputs.workload.tasks_per_month is None:
        return None
    case = case_of(inputs, inputs.workload.tasks_per_month)
    turned = [knob for knob in knobs(inputs, people_usd) if knob.value > 0 or knob.unit == "share"]
    return {
        "saving_usd_per_month": _number(evaluate(case).saving_usd.reshape(-1)[0]),
        "tornado": tornado(case, turned, ranges or {}),
        "flip_points": flip_points(case, turned),
        "break_even": break_even_values(inputs, people_usd),
        "two_way": _default_table(case, {knob.name: knob for knob in turned}),
    }


def break_even_values(inputs: DecideInput, people_usd: float = 0) -> dict[str, float | None] | None:
    """The value of each input at which both sides cost the same at the reader's volume, the rest as it is.

    None for an input that no value above 0 brings to a tie; `utilization` is the first winning volume's.
    """
    decided = decide_parsed(inputs)
    at, box, api = decided["at_volume"], inputs.self_host, inputs.api
    if at is None or at["self_usd"] is None:
        return None
    first, capacity = decided["first_win_tasks_per_month"], decided["capacity_tasks_per_month"]
    hours = at["instances"] * HOURS_PER_MONTH
    without_people = at["self_usd"] - people_usd
    by_token = at["api_usd"] - api.fixed_usd_per_month
    return {
        "tasks_per_month": first,
        "utilization": None
        if first is None
        else first / (capacity * max(box.min_instances, ceil(first / capacity))),
        "goodput_requests_per_s": decided["min_goodput_requests_per_s"],
        "usd_per_hour": _positive((at["api_usd"] - box.fixed_usd_per_month) / hours),
        "api_price_factor": _positive((at["self_usd"] - api.fixed_usd_per_month) / by_token)
        if by_token
        else None,
        "people_usd_per_month": _positive(at["api_usd"] - without_people),
    }


def _positive(value: float) -> float | None:
    return value if value > 0 else None


_VOLUMES = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # times the reader's own
_GOODPUTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)  # times the measured one


def _default_table(case: Case, by_name: Mapping[str, Knob]) -> dict[str, Any] | None:
    tasks, goodput = by_name.get("tasks_per_month"), by_name.get("goodput_requests_per_s")
    if tasks is None or goodput is None:
        return None
    return two_way(
        case, tasks, goodput, [tasks.value * f for f in _VOLUMES], [goodput.value * f for f in _GOODPUTS]
    )
