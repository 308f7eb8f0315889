"""Between which values an input of a decision may lie: the demand's word, else a measured or listed range, else an
assumed one.

Assumed, where nobody gave a range: volume and people from half to twice; a load that is the same every hour up to a
usual peak; a share that is 0 up to 0.1; everything else +-20 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.cost.breakeven.words import USUAL_PEAK_TO_MEAN
from harness.cost.whatif.knobs import Knob, knobs
from harness.rundir.decide import DecideInput
from harness.rundir.result import Kind

HALF_TO_TWICE = ("tasks_per_month", "people_usd_per_month")
SWING = 0.20
DEMAND = "demand"
UP_TO = 0.1  # of a share that is 0 now
CONFIDENCE = 0.95  # of a goodput's interval, unless it says another


@dataclass(frozen=True, slots=True)
class Range:
    """Lowest and highest value, whose word that is, and where an interval of a normal distribution its confidence."""

    low: float
    high: float
    said_by: Kind
    whose: str
    confidence: float | None = None


def ranges_of(
    inputs: DecideInput,
    people_usd: float = 0,
    own: Mapping[str, tuple[float, float]] = MappingProxyType({}),
    *,
    spot_range: tuple[float, float] | None = None,
    confidence: float = CONFIDENCE,
    is_given: bool = False,
) -> dict[str, Range]:
    """The range of each input by its name. `own` are the demand's; `is_given`: somebody said the goodput's ends."""
    known = {name: Range(*ends, "assumed", DEMAND) for name, ends in own.items()}
    goodput = _goodput(inputs, confidence, is_given=is_given)
    if goodput is not None:
        known.setdefault("goodput_requests_per_s", goodput)
    if spot_range is not None:
        known.setdefault("usd_per_hour", Range(*spot_range, "listed", "the listed spot prices"))
    return {knob.name: known.get(knob.name) or _assumed(knob) for knob in knobs(inputs, people_usd)}


def _goodput(inputs: DecideInput, confidence: float, *, is_given: bool) -> Range | None:
    """The goodput's own interval; with one end alone, from there to the goodput; None: it has no end."""
    box = inputs.self_host
    value, low, high = box.goodput_requests_per_s, box.goodput_low, box.goodput_high
    if not value or (low is None and high is None):
        return None
    said_by: Kind = "assumed" if is_given else "measured"
    whose = "given with it" if is_given else "measured"
    if low is None:
        return Range(value, high or value, said_by, f"{whose}, upper end only")
    if high is None:
        return Range(low, value, said_by, f"{whose}, lower end only")
    return Range(low, high, said_by, whose, confidence)


def _assumed(knob: Knob) -> Range:
    if knob.name == "peak_to_mean" and knob.value == 1:
        return Range(1.0, USUAL_PEAK_TO_MEAN, "assumed", f"assumed 1 to {USUAL_PEAK_TO_MEAN:g}")
    if knob.value == 0:
        return Range(0.0, UP_TO if knob.unit == "share" else 0.0, "assumed", f"assumed up to {UP_TO:g}")
    if knob.name in HALF_TO_TWICE:
        return Range(knob.value / 2, knob.value * 2, "assumed", "assumed half to twice")
    low, high = knob.value * (1 - SWING), knob.value * (1 + SWING)
    return Range(max(low, knob.lowest), min(high, knob.highest), "assumed", f"assumed +-{SWING:.0%}".replace("%", " %"))
