"""What `decide` takes: names, ranges and defaults, checked so that whatever is wrong is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import UsageError
from harness.yamlfile import Strict, validate

PROFILE_HOURS = (24, 168)  # a day, a week
LARGEST = 1e12  # USD, tokens, requests: anything above is a slip of the keyboard


def _share(value: Any) -> Any:
    """A share below 1; a percentage typed as such is answered with the number that was probably meant."""
    return _checked_share(value, "at least 0 and below 1", 0 <= value < 1) if _is_number(value) else value


def _positive_share(value: Any) -> Any:
    return _checked_share(value, "above 0 and at most 1", 0 < value <= 1) if _is_number(value) else value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or math.isfinite(value)  # an int may be too large to be a float


def _checked_share(value: float, allowed: str, is_allowed: bool) -> float:
    if is_allowed:
        return value
    hint = f"is {value:g} meant as {value / 100:g}?" if 1 <= value < 100 else None
    raise PydanticCustomError("share", "must be a share, {allowed}", {"allowed": allowed, "hint": hint})


Share = Annotated[float, Field(strict=True), BeforeValidator(_share)]
Amount = Annotated[float, Field(strict=True, ge=0, le=LARGEST)]
Count = Annotated[int, Field(strict=True, ge=0, le=10**9)]


class RequestClass(Strict):
    """One kind of request. Tokens per request (means may be fractions); cached ones are part of the input."""

    name: Any = ""  # free: a label, never read
    weight: Amount = 1
    input_tokens: Amount
    cached_input_tokens: Amount = 0
    output_tokens: Amount

    @model_validator(mode="after")
    def _cached_is_part_of_input(self) -> RequestClass:
        if self.cached_input_tokens > self.input_tokens:
            raise ValueError(
                f"cached_input_tokens ({self.cached_input_tokens:g}) must not be above"
                f" input_tokens ({self.input_tokens:g})"
            )
        return self


class Workload(Strict):
    """The month's tasks. A task is one draw from the classes by weight."""

    tasks_per_month: Annotated[float, Field(strict=True, ge=0, le=1e15)] | None = None
    classes: Annotated[list[RequestClass], Field(min_length=1)]
    retry_failure_rate: Share = 0
    max_retries: Count | None = 0  # None: until it succeeds
    response_cache_hit_rate: Share = 0
    peak_to_mean: Annotated[float, Field(strict=True, ge=1, le=LARGEST)] = 1
    hourly_profile: list[Amount] | None = None

    @model_validator(mode="after")
    def _weights_and_hours(self) -> Workload:
        if sum(c.weight for c in self.classes) <= 0:
            raise ValueError("the weights of `classes` must not all be 0")
        if self.hourly_profile is None:
            return self
        if "peak_to_mean" in self.model_fields_set:
            raise ValueError("give `peak_to_mean` or `hourly_profile`, not both")
        if len(self.hourly_profile) not in PROFILE_HOURS:
            raise ValueError(f"`hourly_profile` must have 24 or 168 weights, got {len(self.hourly_profile)}")
        if sum(self.hourly_profile) <= 0:
            raise ValueError("the weights of `hourly_profile` must not all be 0")
        return self

    def peak(self) -> float:
        """Load of the busiest hour over the mean hour."""
        if self.hourly_profile is None:
            return self.peak_to_mean
        return max(self.hourly_profile) / (sum(self.hourly_profile) / len(self.hourly_profile))


class SelfHost(Strict):
    """One rented instance and what it was measured to serve within the latency limits."""

    usd_per_hour: Amount
    goodput_requests_per_s: Amount | None  # None or 0: no load step met the limits
    goodput_low: Amount | None = None
    goodput_high: Amount | None = None
    max_load: Annotated[float, Field(strict=True), BeforeValidator(_positive_share)] = 1
    min_instances: Annotated[int, Field(strict=True, ge=1, le=10**9)] = 1
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
