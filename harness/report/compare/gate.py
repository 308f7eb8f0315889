"""Did a run lose more goodput than is allowed? Its loss, with the interval of that, against the limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.report.compare.ratio import Ratio, ratio_of
from harness.report.compare.standing import Standing
from harness.report.text import percent

WITHIN_A_RUN = "one run knows only the spread within it: `--repeat 3` of each is a gate"

Change = Literal["worse", "within", "better", "not shown", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Regression:
    """A run against the first one: `drop` is the share of goodput lost (negative: gained), with its interval."""

    label: str
    drop: float | None
    change: Change
    words: str
    low: float | None = None
    high: float | None = None
    pairs: int = 0  # of repeated runs with the same plan; 0: judged by the two intervals


def regression(first: Standing, other: Standing, why_not: str, limit: float) -> Regression:
    """`why_not`: what forbids to hold the two against each other; `limit`: the share that may be lost.

    Worse where the whole interval of the loss lies above the limit, within where all of it lies below, better where it
    is no loss at all; else it is not shown.
    """
    if why_not:
        return Regression(other.label, None, "cannot tell", why_not)
    if first.errors or other.errors:
        which = first if first.errors else other
        return Regression(other.label, None, "cannot tell", f"{which.label}: {', '.join(which.errors)}")
    if first.goodput is None:
        return Regression(other.label, None, "cannot tell", f"{first.label} has no goodput to compare with")
    ratio = ratio_of(other, first)
    if ratio is None:
        return _without_goodput(first, other, limit)
    drop = 1 - ratio.value
    low, high = (None if end is None else 1 - end for end in (ratio.high, ratio.low))
    change = _change(drop, low, high, limit, is_open=first.at_least or other.at_least)
    return Regression(other.label, drop, change, _words(first, other, ratio, change, limit), low, high, ratio.pairs)


def _change(drop: float, low: float | None, high: float | None, limit: float, *, is_open: bool) -> Change:
    if low is None and high is None and not is_open:  # no interval: the values alone
        return "worse" if drop > limit else "within" if drop > 0 else "better"
    if low is not None and low > limit:
        return "worse"
    if high is not None and high < 0:
        return "better"
    return "within" if high is not None and high <= limit else "not shown"


def _words(first: Standing, other: Standing, ratio: Ratio, change: Change, limit: float) -> str:
    drop = 1 - ratio.value
    said = f"{percent(abs(drop))} {'less' if drop > 0 else 'more'} goodput than {first.label}"
    if ratio.low is not None and ratio.high is not None:
        said += f" (a loss of {_signed(1 - ratio.high)} to {_signed(1 - ratio.low)})"
    why = {
        "not shown": f", which shows neither more nor less than the {percent(limit)} allowed",
        "worse": f", more than the {percent(limit)} allowed",
        "within": f", within the {percent(limit)} allowed",
    }
    if change == "not shown" and (first.at_least or other.at_least):
        return f"{said}, but the box was not filled"
    single = "" if len(first.each) > 1 and len(other.each) > 1 else f"; {WITHIN_A_RUN}"
    return said + why.get(change, "") + single


def _signed(share: float) -> str:
    return f"{'-' if share < 0 else ''}{percent(abs(share))}"


def _without_goodput(first: Standing, other: Standing, limit: float) -> Regression:
    """No load step met the SLO any more, or none surely: then the run serves `other.high` at most."""
    if other.high is None:
        return Regression(other.label, 1.0, "worse", f"{other.why_none} any more")
    least = first.goodput if first.low is None else first.low
    assert least is not None
    is_worse = other.high < least * (1 - limit)
    return Regression(other.label, None, "worse" if is_worse else "not shown", other.why_none)


def worst(regressions: Sequence[Regression]) -> Change | None:
    """What ends a command: a loss before what cannot be told; None: neither."""
    changes = {one.change for one in regressions}
    return next((change for change in ("worse", "cannot tell") if change in changes), None)
