"""What the what-if panel has to know beside the decision: how far a goodput holds for requests of other lengths.

A request's work is its input tokens, and each output token as many of them as it takes the box as long: so a goodput
for other lengths is the measured one times (in + w out) / (in' + w out'). w is only known between two ends.
"""

import math
from dataclasses import asdict, dataclass
from typing import Literal

from harness.base.people import DEFAULT_USD_PER_YEAR
from harness.base.rounding import significant
from harness.cost.box.splits import ASSUMED_RATIO
from harness.report.model import Panel
from harness.report.text import duration
from harness.rundir.decision import Decision
from harness.rundir.results import Metrics, Step
from harness.scenario import Slo

SAME_SHAPE = 0.1  # mean tokens further off than that share are another shape: the decision's own check

_TEXT = (
    "In report.html, with scripts on: every input of the decision as a field and a slider; all arms' "
    "verdicts and the chart are computed again as it moves."
)


@dataclass(frozen=True, slots=True)
class OutputWeight:
    """An output token as so many input tokens of the box's time; `high` None: nobody knows any end."""

    low: float
    middle: float
    high: float | None
    said: str


@dataclass(frozen=True, slots=True)
class NearestLimit:
    """How much of a limit the lowest load already takes; longer requests take more."""

    words: str
    share: float
    grows_with: Literal["input", "both"]


@dataclass(frozen=True, slots=True)
class _WhatIf:
    weight: OutputWeight
    limits: tuple[NearestLimit, ...]
    other_shape: str  # why no verdict holds from the start; empty where one does
    usd_per_year: float  # of a person, where the demand has none


def what_if_panel(decision: Decision, metrics: Metrics | None = None, slo: Slo | None = None) -> Panel:
    """The panel of a decision; without figures of a run, of a goodput that was given."""
    lowest = min(metrics.loads, key=lambda step: step.load.size, default=None) if metrics is not None else None
    limits = () if slo is None or lowest is None else _limits(lowest, slo)
    other = "" if metrics is None else _other_shape(decision, metrics.decisive)
    weight = output_weight(decision, lowest)
    return Panel("what-if", _TEXT, asdict(_WhatIf(weight, limits, other, DEFAULT_USD_PER_YEAR)))


def output_weight(decision: Decision, lowest: Step | None) -> OutputWeight:
    """Between which ends an output token's weight lies: as fitted over runs, else by the run's own load of one user.

    Alone on the box an output token is at its dearest, and nothing waits before its first; in a full batch it still
    passes all of the model, as an input token does.
    """
    splits = decision.self_host.splits
    fitted = splits.measured_weight if splits is not None else None
    if fitted is not None:
        w, off = fitted.output_weight, fitted.largest_misfit
        said = f"measured over {fitted.runs} runs of different shape: an output token as {significant(w)} input tokens"
        return OutputWeight(w * max(0.0, 1 - off), w, w * (1 + off), said)
    alone = lowest is not None and lowest.load.users == 1
    if lowest is not None and alone and lowest.mean_input_tokens and lowest.ttft_s.p50 and lowest.tpot_s.p50:
        high = lowest.tpot_s.p50 * lowest.mean_input_tokens / lowest.ttft_s.p50
        low = min(1.0, high)
        said = (
            f"as this run measured: at {lowest.load.words} an output token took as long as {significant(high)} "
            "input tokens, in a full batch as little as one"
        )
        return OutputWeight(low, math.sqrt(low * high), high, said)
    said = "nobody measured how the box's time splits over input and output (a run with a step of 1 user does)"
    return OutputWeight(1.0, ASSUMED_RATIO, None, said)


def _limits(lowest: Step, slo: Slo) -> tuple[NearestLimit, ...]:
    found = []
    for limit in slo.limits():
        value = None if limit.latency == "tpot" else lowest.latency(limit.latency).percentile(limit.percentile)
        if value is not None:
            of, most = f"{limit.latency.upper()} {limit.percentile}", duration(limit.seconds)
            words = f"{of} was {duration(value)} at {lowest.load.words} already, the limit is {most}"
            grows: Literal["input", "both"] = "input" if limit.latency == "ttft" else "both"
            found.append(NearestLimit(words, value / limit.seconds, grows))
    return tuple(found)


def _other_shape(decision: Decision, step: Step | None) -> str:
    """Why the goodput is of other requests than the demand's; empty where it is of these."""
    if step is None or not step.mean_input_tokens or not step.mean_output_tokens:
        return ""
    asked_in, _, asked_out = decision.arms[0].input.workload.mean_tokens()
    pairs = ((asked_in, step.mean_input_tokens), (asked_out, step.mean_output_tokens))
    if all(abs(asked - measured) <= SAME_SHAPE * measured for asked, measured in pairs):
        return ""
    return (
        f"the goodput was measured on requests of {significant(step.mean_input_tokens)} in / "
        f"{significant(step.mean_output_tokens)} out tokens, and these are of {significant(asked_in)} / "
        f"{significant(asked_out)}"
    )
