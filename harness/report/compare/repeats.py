"""Repeats of one measurement as one side of a comparison: their mean with its interval, each by its seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.base.stats import t_interval
from harness.report.compare.pool import check_poolable
from harness.report.model import RunFiles
from harness.rundir.results import Goodput


def as_one(runs: Sequence[RunFiles], place: Path) -> RunFiles:
    """The repeats in a folder as one run: the first one's figures, the goodput of all; one run is itself.

    Raises:
        UsageError: they did not measure the same.
    """
    first = runs[0]
    if len(runs) == 1:
        return first
    check_poolable(runs)
    metrics = first.metrics.model_copy(update={"goodput": _mean([run.metrics.goodput for run in runs])})
    return replace(first, run_dir=place, metrics=metrics, repeats=tuple(runs))


def _mean(found: Sequence[Goodput | None]) -> Goodput | None:
    """The mean with Student's interval; None where one has none, since leaving it out would flatter."""
    rates = [one.requests_per_s for one in found if one is not None and one.requests_per_s is not None]
    first = found[0]
    if len(rates) < len(found) or first is None:
        return None
    mean, at_least = t_interval(rates), any(one is not None and one.at_least for one in found)
    assert mean.low is not None
    return Goodput(
        requests_per_s=mean.mean,
        low=max(mean.low, 0.0),
        high=None if at_least else mean.high,
        step=first.step,
        at_least=at_least,
    )
