"""The goodput of a run from its steps: which step counts, and how far that choice and the step's rate are in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.metrics.rate import Rate
from harness.metrics.slo import SloVerdict


@dataclass(frozen=True, slots=True)
class JudgedStep:
    """What the choice needs of a step: its place, its load in any one unit, its goodput and its verdict."""

    step: int
    load: float
    rate: Rate
    slo: SloVerdict
    is_open: bool = False  # loaded by rate: who passes has kept up with it


@dataclass(frozen=True, slots=True)
class RunGoodput:
    """Requests per second within the SLO: the point, its 95 % interval, and the step that gives the point.

    `at_least`: the box was not filled, `high` is None. `at_most`: even the lowest step may break the SLO, `low` is
    None, and so is the point.
    """

    per_s: float | None
    low: float | None
    high: float | None
    step: int | None
    at_least: bool = False
    at_most: bool = False


def goodput_of(steps: Sequence[JudgedStep]) -> RunGoodput | None:
    """The run's goodput; None where no step was judged, or the lowest surely fails.

    Steps above the first that surely fails count no more. Of the rest the true choice is one between the highest
    that surely passes (none: the lowest) and the highest of all: the interval spans their intervals. The point is the
    rate of the highest that passes by its point percentile, below the first that fails by it.
    """
    left = _below_failure(steps)
    if not left:
        return None
    first = max((i for i, one in enumerate(left) if one.slo.verdict == "yes"), default=0)
    possible = left[first:]
    best = _point(possible)
    if best is None:
        return RunGoodput(None, None, _high(possible), None, at_most=True)
    low = min((one.rate.low for one in possible[: possible.index(best) + 1] if one.rate.low is not None), default=None)
    at_least = best is _highest_judged(steps) and grew(steps)
    return RunGoodput(best.rate.per_s, low, None if at_least else _high(possible), best.step, at_least=at_least)


def grew(steps: Sequence[JudgedStep]) -> bool:
    """Whether the highest load's rate lies above that of the load before; a single load has not shown an end, nor has
    one by rate that passes: it was served as it came, however unevenly that was.
    """
    ordered = _judged(steps)
    if len(ordered) < 2 or ordered[-1].is_open:
        return True
    last, before = ordered[-1].rate, ordered[-2].rate
    return last.low is not None and before.high is not None and last.low > before.high


def _judged(steps: Sequence[JudgedStep]) -> list[JudgedStep]:
    return sorted((one for one in steps if one.slo.verdict != "not_judged"), key=lambda one: one.load)


def _highest_judged(steps: Sequence[JudgedStep]) -> JudgedStep:
    return _judged(steps)[-1]


def _below_failure(steps: Sequence[JudgedStep]) -> list[JudgedStep]:
    left: list[JudgedStep] = []
    for one in _judged(steps):
        if one.slo.verdict == "no":
            break
        left.append(one)
    return left


def _point(possible: Sequence[JudgedStep]) -> JudgedStep | None:
    best = None
    for one in possible:
        if not one.slo.met:
            break
        best = one
    return best


def _high(possible: Sequence[JudgedStep]) -> float | None:
    ends = [one.rate.high for one in possible]
    return None if any(end is None for end in ends) else max(end for end in ends if end is not None)
