"""The shapes a load can have, one model a `kind`.

`closed` and a search or ramp over users wait for answers; all others send by a plan that waits for nobody.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.scenario.logs.layout import TimeUnit
from harness.scenario.strict import MOST_PER_S, MOST_USERS, YEAR_S, Strict, one_number_is_a_list

Arrivals = Literal["poisson", "constant", "gamma"]
Over = Literal["users", "requests_per_s"]
Users = Annotated[int, Field(ge=1, le=MOST_USERS, strict=True)]
Rate = Annotated[float, Field(gt=0, le=MOST_PER_S)]
Seconds = Annotated[float, Field(gt=0, le=YEAR_S)]
SecondsOrNone = Annotated[float, Field(ge=0, le=YEAR_S)]

STEP_S = "Length of a step in seconds, warm-up included."
WARMUP_S = "Seconds at a step's start that no metric counts."
THINK_TIME_S = "Seconds a user waits between two requests."
ARRIVALS = "How requests arrive: constant gaps, poisson (independent users) or gamma (see burstiness)."
BURSTINESS = "Shape of gamma gaps: 1 is poisson, below 1 comes in bursts, above 1 is more even."
MAX_IN_FLIGHT = "Arrivals beyond this many requests at once are dropped, counted and recorded as not_sent."


def _check_warmup(load: Any) -> Any:
    if load.step_s is not None and load.warmup_s >= load.step_s:
        raise ValueError(f"warmup_s ({load.warmup_s:g}) must be below step_s ({load.step_s:g})")
    return load


class AnyLoad(Strict):
    """What is common to all loads."""

    @property
    def is_open(self) -> bool:
        """Whether requests leave by a plan and latencies count from it."""
        return True


class ByPlan(AnyLoad):
    """What is common to loads whose requests leave by a plan that waits for nobody."""

    arrivals: Arrivals = Field(default="poisson", description=ARRIVALS)
    burstiness: float = Field(default=1.0, gt=0, le=1000, description=BURSTINESS)
    max_in_flight: int = Field(default=1000, ge=1, le=MOST_USERS, strict=True, description=MAX_IN_FLIGHT)

    @model_validator(mode="after")
    def _bursts_are_gamma(self) -> Self:
        if self.burstiness != 1 and self.arrivals != "gamma":
            raise ValueError(f"burstiness ({self.burstiness:g}) needs `arrivals: gamma`, got `{self.arrivals}`")
        return self


class OverEither(ByPlan):
    """Common to loads that go over users, who wait for their answers, or over a rate."""

    over: Over
    think_time_s: SecondsOrNone = Field(default=0, description=THINK_TIME_S)

    @property
    def is_open(self) -> bool:
        """Whether requests leave by a plan and latencies count from it."""
        return self.over == "requests_per_s"

    def _check_users(self, first: float, last: float) -> None:
        if self.over == "users" and (first % 1 or last % 1):
            raise ValueError(f"users are whole numbers, got {first:g} to {last:g}")


class ClosedLoad(AnyLoad):
    """N users; each sends its next request when the last one ended and it has thought. One step per entry."""

    kind: Literal["closed"] = "closed"
    users: Annotated[list[Users], Field(min_length=1)] = Field(
        default=[1], description="Concurrent users, one step per entry.", examples=[[1, 2, 4, 8]]
    )
    step_s: Seconds = Field(default=30, description=STEP_S)
    warmup_s: SecondsOrNone = Field(default=5, description=WARMUP_S)
    think_time_s: SecondsOrNone = Field(default=0, description=THINK_TIME_S)

    _one_number = field_validator("users", mode="before")(one_number_is_a_list)

    _warmup_fits = model_validator(mode="after")(_check_warmup)

    @property
    def is_open(self) -> bool:
        """Whether requests leave by a plan and latencies count from it."""
        return False


class OpenLoad(ByPlan):
    """Requests arrive at a rate whatever the server does; latencies count from the planned instant."""

    kind: Literal["open"]
    requests_per_s: Annotated[list[Rate], Field(min_length=1)] = Field(
        description="Mean arrival rate, one step per entry.", examples=[[0.5, 1, 2]]
    )
    step_s: Seconds = Field(default=30, description=STEP_S)
    warmup_s: SecondsOrNone = Field(default=5, description=WARMUP_S)

    _one_number = field_validator("requests_per_s", mode="before")(one_number_is_a_list)
    _warmup_fits = model_validator(mode="after")(_check_warmup)


class RampLoad(OverEither):
    """A load that changes linearly from `start` to `end`; its slices are the steps of the result."""

    kind: Literal["ramp"]
    over: Over = Field(default="requests_per_s", description="What changes.")
    start: Rate = Field(description="Load at the beginning, in users or requests per second.")
    end: Rate = Field(description="Load at the end.")
    ramp_s: Seconds = Field(default=120, description="Length of the ramp in seconds.")
    slices: int = Field(default=6, ge=1, le=1000, strict=True, description="Equal parts that are reported as steps.")

    @model_validator(mode="after")
    def _consistent(self) -> RampLoad:
        self._check_users(self.start, self.end)
        return self


class TraceLoad(AnyLoad):
    """Requests arrive, and are as long, as a log says. The layout is known by its columns or keys."""

    kind: Literal["trace"]
    file: str = Field(
        description="CSV, JSON, JSONL or Parquet with arrival_s, input_tokens, output_tokens; or a published trace or "
        "a gateway's log as it is (docs/request-logs.md). Relative to the scenario."
    )
    columns: dict[str, str] | None = Field(
        default=None,
        description="What its columns are, where that is not known by itself: {input_tokens: prompt_tokens}.",
    )
    time_unit: TimeUnit | None = Field(
        default=None, description="Of times that are plain numbers, where it cannot be told."
    )
    speed: float = Field(default=1.0, gt=0, description="2 replays twice as fast.")
    max_requests: int | None = Field(
        default=None, ge=1, strict=True, description="Only the first so many of the trace; none: all."
    )
    step_s: Seconds | None = Field(
        default=None, description="Report parts of this many seconds as steps; none: one step."
    )
    warmup_s: SecondsOrNone = Field(default=0, description="Seconds at the trace's start that no metric counts.")
    max_in_flight: int = Field(default=1000, ge=1, le=MOST_USERS, strict=True, description=MAX_IN_FLIGHT)

    _warmup_fits = model_validator(mode="after")(_check_warmup)


class SearchLoad(OverEither):
    """Look for the highest load that meets the SLO: grow, bracket, narrow, confirm."""

    kind: Literal["search"]
    over: Over = Field(default="users", description="What is searched.")
    low: Rate = Field(default=1, description="First load tried, in users or requests per second.")
    high: Rate = Field(default=256, description="No load above this is tried.")
    resolution: float = Field(
        default=0.1, gt=0, lt=1, description="Stop when pass and fail are this close, as a share of the load."
    )
    step_s: Seconds = Field(default=30, description="Shortest probe in seconds, warm-up included.")
    max_step_s: Seconds = Field(
        default=300, description="Longest probe; probes are made long enough for the SLO's percentile."
    )
    warmup_s: SecondsOrNone = Field(default=5, description=WARMUP_S)
    max_probes: int = Field(default=16, ge=1, le=1000, strict=True, description="No more probes than this.")

    _warmup_fits = model_validator(mode="after")(_check_warmup)

    @model_validator(mode="after")
    def _consistent(self) -> SearchLoad:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) must not be above high ({self.high:g})")
        if self.max_step_s < self.step_s:
            raise ValueError(f"max_step_s ({self.max_step_s:g}) must not be below step_s ({self.step_s:g})")
        self._check_users(self.low, self.high)
        return self


Load = ClosedLoad | OpenLoad | RampLoad | TraceLoad | SearchLoad
