"""The traffic of a month: its shapes, retries, caches and hours, with the ranges that `decide` allows."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.base.yamlfile import Strict

PROFILE_HOURS = (24, 168)  # a day, a week
LARGEST = 1e12  # USD, tokens, requests: anything above is a slip of the keyboard
MOST_TASKS = 1e15  # a month


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


Share = Annotated[
    float, Field(strict=True, json_schema_extra={"minimum": 0, "exclusiveMaximum": 1}), BeforeValidator(_share)
]
PositiveShare = Annotated[
    float, Field(strict=True, json_schema_extra={"exclusiveMinimum": 0, "maximum": 1}), BeforeValidator(_positive_share)
]
Instances = Annotated[int, Field(strict=True, ge=1, le=10**9)]
InstancesOrNone = Annotated[int, Field(strict=True, ge=0, le=10**9)]
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


class Traffic(Strict):
    """How the month's tasks come and come again; what a demand file and a decide input have in common."""

    retry_failure_rate: Share = 0
    max_retries: Count | None = 0  # None: until it succeeds
    response_cache_hit_rate: Share = 0
    peak_to_mean: Annotated[float, Field(strict=True, ge=1, le=LARGEST)] | None = None  # None: 1, or the profile's
    hourly_profile: list[Amount] | None = None

    @model_validator(mode="after")
    def _one_peak(self) -> Traffic:
        if self.hourly_profile is None:
            return self
        if self.peak_to_mean is not None:
            raise ValueError("give `peak_to_mean` or `hourly_profile`, not both")
        if len(self.hourly_profile) not in PROFILE_HOURS:
            raise ValueError(f"`hourly_profile` must have 24 or 168 weights, got {len(self.hourly_profile)}")
        if sum(self.hourly_profile) <= 0:
            raise ValueError("the weights of `hourly_profile` must not all be 0")
        return self

    @property
    def is_flat(self) -> bool:
        """Whether nobody said how the load differs from hour to hour."""
        return self.hourly_profile is None and self.peak_to_mean is None

    def peak(self) -> float:
        """Load of the busiest hour over the mean hour."""
        if self.hourly_profile is None:
            return 1 if self.peak_to_mean is None else self.peak_to_mean
        return max(self.hourly_profile) / (sum(self.hourly_profile) / len(self.hourly_profile))


class Workload(Traffic):
    """The month's tasks. A task is one draw from the classes by weight."""

    tasks_per_month: Annotated[float, Field(strict=True, ge=0, le=MOST_TASKS)] | None = None
    classes: Annotated[list[RequestClass], Field(min_length=1)]

    @model_validator(mode="after")
    def _weights(self) -> Workload:
        if sum(c.weight for c in self.classes) <= 0:
            raise ValueError("the weights of `classes` must not all be 0")
        return self

    def mean_tokens(self) -> tuple[float, float, float]:
        """(input, of it cached, output) tokens of the mean call."""
        total = sum(c.weight for c in self.classes)
        return (
            sum(c.weight * c.input_tokens for c in self.classes) / total,
            sum(c.weight * c.cached_input_tokens for c in self.classes) / total,
            sum(c.weight * c.output_tokens for c in self.classes) / total,
        )
