"""A window's conversations turn by turn: how the context grows, and what that does to the first token."""

from typing import Any

import numpy as np

from harness.base.stats import Floats, summary
from harness.metrics.windows import Columns
from harness.rundir.of_step import Summary, TurnOfStep

Which = np.ndarray[Any, np.dtype[np.bool_]]


def turns_of(data: Columns, timed: Which) -> tuple[TurnOfStep, ...]:
    """Every turn of the requests that `timed` picks, in order; turns that it has none of are left out."""
    picked = np.unique(data.turn[timed & ~np.isnan(data.turn)])
    return tuple(_turn(data, timed & (data.turn == turn), int(turn)) for turn in picked)


def _turn(data: Columns, which: Which, turn: int) -> TurnOfStep:
    followed = which & ~data.entered
    return TurnOfStep(
        turn=turn,
        requests=int(which.sum()),
        input_tokens=_mean(data.prompt_tokens[which]),
        output_tokens=_mean(data.output_tokens[which]),
        cached_tokens=_mean(data.cached_tokens[followed]),
        ttft_s=Summary(**summary(_known(data.ttft_s[followed]))),
        entered=int((which & data.entered).sum()),
    )


def _mean(values: Floats) -> float | None:
    known = _known(values)
    return float(known.mean()) if len(known) else None


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]
