"""The inputs of a decision that a reader may doubt, and how to turn each of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.cost.breakeven.decision import call_usd, comes_and_goes, usd_per_attempt
from harness.cost.breakeven.vector import Case, Number
from harness.rundir.decide import DecideInput


@dataclass(frozen=True, slots=True)
class Knob:
    """An input that may turn out otherwise: its present value, its unit, and how to set it."""

    name: str
    unit: str
    value: float
    lowest: float
    highest: float
    set: Callable[[Case, Number], Case]


def knobs(inputs: DecideInput, people_usd: float = 0) -> list[Knob]:
    """The inputs a reader may doubt. `people_usd`: the part of self-hosting's fixed costs that is people."""
    work, box = inputs.workload, inputs.self_host
    mix, other_usd = _mix(inputs), box.fixed_usd_per_month - people_usd

    def knob(name: str, unit: str, value: float, lowest: float, highest: float) -> Knob:
        return Knob(name, unit, value, lowest, highest, lambda case, v: case.but(**{name: v}))

    def free(name: str, unit: str, value: float, turn: Callable[[Case, Number], Case]) -> Knob:
        return Knob(name, unit, value, 0, np.inf, turn)

    out = [
        knob("tasks_per_month", "tasks", work.tasks_per_month or 0, 0, np.inf),
        knob("goodput_requests_per_s", "requests/s", box.goodput_requests_per_s or 0, 0, np.inf),
        knob("usd_per_hour", "USD/h", box.usd_per_hour, 0, np.inf),
        knob("peak_to_mean", "", work.peak(), 1, np.inf),
        knob("max_load", "share", box.max_load, 0.01, 1),
        knob("retry_failure_rate", "share", work.retry_failure_rate, 0, 0.99),
        knob("response_cache_hit_rate", "share", work.response_cache_hit_rate, 0, 0.99),
        free("people_usd_per_month", "USD", people_usd, lambda c, v: c.but(self_fixed_usd=other_usd + v)),
    ]
    if comes_and_goes(box):
        out = [knob for knob in out if knob.name != "peak_to_mean"]  # each hour of the profile has its own instances
    if mix is not None:
        out.append(free("input_per_output_tokens", "", mix, lambda c, v: c.but(usd_per_attempt=_at_mix(inputs, v))))
    out.append(free("api_price", "x list", 1, _at_price))  # after the mix: times what that comes to
    return out


def _at_price(case: Case, factor: Number) -> Case:
    """Everything listed at so many times its price: calls, and units of bought capacity."""
    return case.but(usd_per_attempt=case.usd_per_attempt * factor, unit_usd=case.unit_usd * factor)


def _mix(inputs: DecideInput) -> float | None:
    given, _, output = inputs.workload.mean_tokens()
    return given / output if output > 0 and given > 0 else None


def _at_mix(inputs: DecideInput, mix: Number) -> Number:
    """a at another input:output ratio, the mean call's tokens kept; cached share and goodput as they are."""
    given, _, output = inputs.workload.mean_tokens()
    by_call = call_usd(inputs.api, 0.0, 0.0, 0.0)
    output_usd = call_usd(inputs.api, 0.0, 0.0, output) - by_call
    input_usd = usd_per_attempt(inputs.workload.classes, inputs.api) - output_usd - by_call
    new_output = (given + output) / (mix + 1)
    return input_usd * (given + output - new_output) / given + output_usd * new_output / output + by_call
