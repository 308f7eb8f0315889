"""Splitting an hour of a box between input and output tokens: three conventions, and the weights measured.

A split is a convention. Whichever it is, input and output cost add up to the hour:
X_in C_in + X_out C_out = c. Break-even never uses one: it compares requests of the same mix.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from harness.base.units import SECONDS_PER_HOUR, TOKENS_PER_MTOK
from harness.rundir.decision import MeasuredWeight, Split

ASSUMED_RATIO = 4.0  # an output token as so many input tokens; hosted prices of open models are mostly 1 to 5
FEWEST_SHAPES = 2


class BusyRun(NamedTuple):
    """What a run did at its busiest: so many tokens in so many seconds."""

    seconds: float
    input_tokens: float
    output_tokens: float


def splits(
    usd_per_hour: float, input_tokens_per_s: float, output_tokens_per_s: float, measured: MeasuredWeight | None = None
) -> list[Split]:
    """USD per Mtok of input and of output in the three conventions, each with its label.

    The weight is r: one output token takes the box as long as r input tokens; measured where it could be.
    """
    output_weight = measured.output_weight if measured else ASSUMED_RATIO
    weight_from = f"measured over {measured.runs} runs" if measured else "assumed"
    weighted_in = usd_per_hour / (input_tokens_per_s + output_weight * output_tokens_per_s)
    total = usd_per_hour / (input_tokens_per_s + output_tokens_per_s)
    output_only = usd_per_hour / output_tokens_per_s
    per_mtok = TOKENS_PER_MTOK / SECONDS_PER_HOUR

    def split(
        convention: Literal["output_only", "total", "weighted"], label: str, given: float, output: float
    ) -> Split:
        return Split(
            convention=convention,
            label=label,
            input_usd_per_mtok=given * per_mtok,
            output_usd_per_mtok=output * per_mtok,
            hour_usd=given * input_tokens_per_s + output * output_tokens_per_s,
        )

    weighted = f"an output token as {output_weight:.3g} input tokens ({weight_from})"
    return [
        split("output_only", "all of the hour on output tokens, input for free", 0.0, output_only),
        split("total", "every token alike", total, total),
        split("weighted", weighted, weighted_in, output_weight * weighted_in),
    ]


def measured_output_weight(runs: Sequence[BusyRun]) -> MeasuredWeight | None:
    """r = beta/alpha of busy seconds = alpha t_in + beta t_out, fitted over runs of different shape.

    The runs are at saturation. Non-negative least squares, each run scaled to its own seconds so that a long run
    does not outweigh the others. None with fewer than two different shapes, or when the fit gives input tokens no
    time at all.
    """
    usable = [run for run in runs if run.seconds > 0 and run.input_tokens + run.output_tokens > 0]
    shapes = {round(run.output_tokens / (run.input_tokens + run.output_tokens), 2) for run in usable}
    if len(shapes) < FEWEST_SHAPES:
        return None
    rows = np.array([[run.input_tokens / run.seconds, run.output_tokens / run.seconds] for run in usable])
    scale = rows.max(axis=0)
    if not np.all(scale > 0):
        return None
    ones = np.ones(len(usable))
    alpha, beta = np.linalg.lstsq(rows / scale, ones, rcond=None)[0] / scale
    if beta < 0:  # of two weights that must not be negative the other is then fitted alone
        alpha, beta = np.linalg.lstsq(rows[:, :1] / scale[0], ones, rcond=None)[0][0] / scale[0], 0.0
    if alpha <= 0:
        return None
    fitted = rows @ np.array([alpha, beta])
    return MeasuredWeight(
        output_weight=float(beta / alpha),
        seconds_per_input_token=float(alpha),
        seconds_per_output_token=float(beta),
        runs=len(usable),
        largest_misfit=float(np.max(np.abs(fitted - 1))),
    )
