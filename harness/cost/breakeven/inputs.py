"""What `decide` takes: names, ranges and defaults, checked so that whatever is wrong is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from harness.base.errors import UsageError
from harness.base.yamlfile import Strict, validate
from harness.demand.workload import Amount, Instances, PositiveShare, Workload


class SelfHost(Strict):
    """One rented instance and what it was measured to serve within the latency limits."""

    usd_per_hour: Amount
    goodput_requests_per_s: Amount | None  # None or 0: no load step met the limits
    goodput_low: Amount | None = None
    goodput_high: Amount | None = None
    max_load: PositiveShare = 1
    min_instances: Instances = 1
    fixed_usd_per_month: Amount = 0

    @model_validator(mode="after")
    def _ends_in_order(self) -> SelfHost:
        goodput, low, high = self.goodput_requests_per_s, self.goodput_low, self.goodput_high
        if low is not None and high is not None and low > high:
            raise ValueError(f"goodput_low ({low:g}) must not be above goodput_high ({high:g})")
        if goodput:
            if low is not None and low > goodput:
                raise _off_the_goodput(f"goodput_low ({low:g}) must not be above", goodput)
            if high is not None and high < goodput:
                raise _off_the_goodput(f"goodput_high ({high:g}) must not be below", goodput)
            return self
        for key, end in (("goodput_low", low), ("goodput_high", high)):
            if end is not None:
                raise _off_the_goodput(f"{key} ({end:g}) belongs to a goodput, but", goodput)
        return self


def _off_the_goodput(text: str, goodput: float | None) -> PydanticCustomError:
    """An end of an interval that does not hold the goodput it is said to be of."""
    if goodput:
        said = f"{text} goodput_requests_per_s ({goodput:g})"
        hint = "the interval is around the goodput, in the same requests/s"
    else:
        said = f"{text} goodput_requests_per_s is {'null' if goodput is None else 0}"
        hint = "leave goodput_low and goodput_high out where no load met the limits"
    return PydanticCustomError("interval", "{said}", {"said": said, "hint": hint})


class Api(Strict):
    """What the API charges. No cached price means cached tokens cost the input price."""

    input_usd_per_mtok: Amount
    cached_input_usd_per_mtok: Amount | None = None
    output_usd_per_mtok: Amount
    fixed_usd_per_month: Amount = 0


class DecideInput(Strict):
    """The whole input of a decision."""

    workload: Workload
    self_host: SelfHost
    api: Api


def parse(inputs: Mapping[str, Any], *, where: str = "decide input") -> DecideInput:
    """`inputs` checked, defaults filled in.

    Raises:
        UsageError: an unknown or missing key, a wrong type, a value out of range; names key and value.
    """
    if not isinstance(inputs, Mapping):
        raise UsageError(f"{where} must be a mapping, got {type(inputs).__name__}")
    return validate(DecideInput, {key: _plain(value) for key, value in inputs.items()}, where=where)


def _plain(value: Any) -> Any:
    """Mappings of any kind as dicts, inside lists too."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
