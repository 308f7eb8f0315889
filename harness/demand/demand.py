"""What a month asks for: volume, shapes, retries, caches, daily profile, and every cost beside inference.

A demand file is about the work, not about a machine or a model: the same file is priced against every arm.
Costs beside inference are listed items, one line each, so that a reader can strike any of them.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from harness.base.terms import ArmTerms, Running, check_running
from harness.base.units import HOURS_PER_MONTH
from harness.base.workload import LARGEST, MOST_TASKS, InstancesOrNone, PositiveShare, RequestClass, Traffic, Workload
from harness.base.yamlfile import Label, Strict, read_yaml, validate
from harness.demand.items import Amount, Item, usd_per_month
from harness.demand.made_of_log import MadeOfLog
from harness.scenario import bundled_scenarios_dir

SPOT_INTERRUPTIONS_PER_MONTH = 0.10  # the upper end of AWS's band of 5 to 10 %, which is of a month

_SHARE = (0, math.nextafter(1, 0), "at least 0 and below 1")
_ANY = (0, LARGEST, "from 0 on")
RANGED: dict[str, tuple[float, float, str]] = {
    "tasks_per_month": (0, MOST_TASKS, "from 0 on"),
    "goodput_requests_per_s": _ANY,
    "usd_per_hour": _ANY,
    "peak_to_mean": (1, LARGEST, "from 1 on"),
    "max_load": (math.nextafter(0, 1), 1, "above 0 and at most 1"),
    "retry_failure_rate": _SHARE,
    "response_cache_hit_rate": _SHARE,
    "api_price": _ANY,
    "input_per_output_tokens": _ANY,
    "people_usd_per_month": _ANY,
}
"""Inputs that `ranges` may name, and between what; `api_price` is a factor on the list price."""


class Request(RequestClass):
    """A size of request and its weight among the others; cached and cache-written tokens are part of the input."""

    cache_write_tokens: Amount = 0
    cache_write_1h_tokens: Amount = 0

    def as_asked(self, terms: ArmTerms, tokenizer_ratio: float) -> Request:
        """The same request as an arm counts it, by its own tokenizer, with its own length of answer and cache."""
        given = self.input_tokens * tokenizer_ratio
        own_share = terms.cached_share is not None
        cached = given * (terms.cached_share or 0.0) if own_share else self.cached_input_tokens * tokenizer_ratio
        written = {
            n: getattr(self, n) * tokenizer_ratio for n in type(self).model_fields if n.startswith("cache_write")
        }
        room = min(1.0, (given - cached) / (sum(written.values()) or 1.0))  # what is read is not written too
        sizes = {
            "input_tokens": given,
            "cached_input_tokens": cached,
            "output_tokens": self.output_tokens * tokenizer_ratio * terms.output_ratio + terms.reasoning_tokens,
            **{name: tokens * room for name, tokens in written.items()},
        }
        return self.model_copy(update=sizes)


class History(Strict):
    """A conversation whose past turns are sent again: turn i (from 0) has base + growth * i input tokens."""

    turns: int = Field(ge=1, le=10_000, strict=True, description="Turns of one conversation.")
    base_tokens: Amount = Field(description="Input tokens of the first turn.")
    growth_tokens: Amount = Field(description="Input tokens that each past turn adds.")

    def total_input_tokens(self) -> float:
        """n b + g n (n-1)/2. Example: 10 turns of 300 + 350 per past turn are 18,750 tokens."""
        return self.turns * self.base_tokens + self.growth_tokens * self.turns * (self.turns - 1) / 2


class DemandClass(Strict):
    """One kind of request: `input_tokens`, or the `history` of a growing conversation (a task is a turn)."""

    name: Label = ""
    weight: Amount = 1
    input_tokens: Amount | None = None
    history: History | None = None
    cached_input_tokens: Amount = Field(default=0, description="Part of the input read from the prompt cache.")
    cache_write_tokens: Amount = Field(default=0, description="Part of the input written to the prompt cache.")
    cache_write_1h_tokens: Amount = Field(default=0, description="Another part, written to be kept for an hour.")
    output_tokens: Amount

    @model_validator(mode="after")
    def _one_input(self) -> DemandClass:
        if (self.input_tokens is None) == (self.history is None):
            raise ValueError("give either `input_tokens` or `history`")
        smallest = self.input_tokens if self.history is None else self.history.base_tokens
        cache = self.cached_input_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        if smallest is not None and cache > smallest:
            raise ValueError("cached_input_tokens and cache_write_tokens must fit in the input tokens")
        if self._sizes()[-1] > LARGEST:
            raise ValueError(f"`history`: the last turn's input tokens must be at most {LARGEST:g}")
        return self

    def requests(self) -> list[Request]:
        """The request sizes of this class, weights summing to its own; one a turn when there is a history."""
        sizes = self._sizes()
        return [
            Request(
                name=self.name if len(sizes) == 1 else f"{self.name} turn {turn + 1}",
                weight=self.weight / len(sizes),
                input_tokens=size,
                cached_input_tokens=self.cached_input_tokens,
                cache_write_tokens=self.cache_write_tokens,
                cache_write_1h_tokens=self.cache_write_1h_tokens,
                output_tokens=self.output_tokens,
            )
            for turn, size in enumerate(sizes)
        ]

    def _sizes(self) -> list[float]:
        """Input tokens of each turn."""
        h = self.history
        return [self.input_tokens or 0] if h is None else [h.base_tokens + h.growth_tokens * i for i in range(h.turns)]


class Part(Strict):
    """A share of the calls and who answers them."""

    api: Label = Field(description="provider:model")
    calls_per_task: Annotated[float, Field(gt=0, le=1000)] = Field(
        description="Routing: its share. A cascade: 1 for the first, the escalated share for the next."
    )


class Mix(Strict):
    """An arm of several models: routed up front (shares sum to 1), or a cascade (each asks the next)."""

    name: Label
    parts: Annotated[list[Part], Field(min_length=1)]


class Demand(Traffic):
    """A month's demand. Smallest form: name, tasks_per_month, classes."""

    name: Label
    tasks_per_month: Annotated[float, Field(ge=0, le=MOST_TASKS)] | None = None
    classes: Annotated[list[DemandClass], Field(min_length=1)]
    max_load: PositiveShare = Field(
        default=1, description="Planned load of an instance over its goodput, above 0 to 1."
    )
    min_instances: InstancesOrNone = Field(
        default=1, description="Instances that run at any hour; 0: none in an hour without arrivals (scale to zero)."
    )
    self_host: Running = Field(default=Running(), description="How the box runs and is billed.")
    arms: dict[Label, ArmTerms] = Field(
        default={}, description="An API arm's own terms by its name (provider:model, or a mix); it is compared."
    )
    self_fixed_usd_per_month: Amount = 0
    api_fixed_usd_per_month: Amount = 0
    items: list[Item] = Field(default=[], description="Costs beside inference, a line each.")
    mixes: list[Mix] = Field(default=[], description="API arms of several models, priced beside the others.")
    human_usd_per_task: Amount | None = Field(
        default=None, description="What a person costs who takes over a task that failed; None: nobody does."
    )
    growth_per_month: Annotated[float, Field(gt=-1, le=10)] = Field(default=0, description="0.05: 5 % a month.")
    horizon_months: Annotated[int, Field(ge=1, le=600)] = 12
    batch_share: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0, description="Share of the tasks that can wait for an API's batch price."
    )
    ranges: dict[str, tuple[float, float]] = Field(
        default={}, description="Lowest and highest plausible value of an input; without one it is measured or assumed."
    )
    startup_minutes: Amount = Field(default=10, description="From launch to serving: billed, serves nothing.")
    spot_interruptions_per_hour: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=SPOT_INTERRUPTIONS_PER_MONTH / HOURS_PER_MONTH,
        description="Share of the spot instances that are lost in an hour; by default 10 % in a month.",
    )
    spot_recovery_minutes: Annotated[float, Field(ge=0, lt=60)] = 10
    tokens_ratio: Annotated[float, Field(gt=0, le=10)] = Field(
        default=1, description="API tokens for one token of the self-hosted model, same text; 1 is assumed."
    )

    made_of_log: MadeOfLog | None = Field(default=None, description="The request log that it was made of.")
    made_of_run: Label | None = Field(
        default=None, description="The scenario of the run whose own requests it is: nobody gave a demand."
    )

    @field_validator("ranges")
    @classmethod
    def _known_and_ordered(cls, ranges: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        for name, span in ranges.items():
            _check_range(name, span)
        return ranges

    @model_validator(mode="after")
    def _weights(self) -> Demand:
        if sum(c.weight for c in self.classes) <= 0:
            raise ValueError("the weights of `classes` must not all be 0")
        return self

    @model_validator(mode="after")
    def _when_none_is_needed(self) -> Demand:
        has_profile = self.hourly_profile is not None
        check_running(self.self_host, self.min_instances, has_profile=has_profile, key="min_instances")
        return self

    @model_validator(mode="after")
    def _last_month(self) -> Demand:
        growth = (self.horizon_months - 1) * math.log1p(self.growth_per_month)
        if self.tasks_per_month and growth > math.log(MOST_TASKS / self.tasks_per_month):
            raise ValueError(f"`growth_per_month` over `horizon_months` ends above {MOST_TASKS:g} tasks a month")
        return self

    def requests(self) -> list[Request]:
        """Every request size with its weight, histories unfolded."""
        return [request for c in self.classes for request in c.requests()]

    def mean_tokens(self) -> tuple[float, float]:
        """(input, output) tokens of the mean request."""
        given, _, output = self.workload().mean_tokens()
        return given, output

    def fixed_usd(self, arm: Literal["self_host", "api"]) -> float:
        """Fixed USD a month of one side alone; what both pay alike is left out, it decides nothing."""
        own = self.self_fixed_usd_per_month if arm == "self_host" else self.api_fixed_usd_per_month
        tasks = self.tasks_per_month or 0
        return own + sum(usd_per_month(item, tasks) for item in self.items if item.arm == arm)

    def without(self, *names: str) -> Demand:
        """The demand with these items struck; a name of a line ("people") strikes all its self_host items."""
        kept = [i for i in self.items if i.name not in names and not (i.line in names and i.arm == "self_host")]
        return self.model_copy(update={"items": kept})

    def workload(self) -> Workload:
        """The `workload` of a decide input."""
        shared = self.model_dump(include={"tasks_per_month", *Traffic.model_fields})
        if self.hourly_profile is None:
            shared["peak_to_mean"] = self.peak()
        classes = [row.model_dump(include=set(RequestClass.model_fields)) for row in self.requests()]
        return Workload.model_validate({**shared, "classes": classes})

    def to_dict(self) -> dict[str, Any]:
        """For run.json and decision.json; `demand_from_dict` reads it back."""
        return self.model_dump(mode="json")


def _check_range(name: str, span: tuple[float, float]) -> None:
    low, high = span
    if name not in RANGED:
        raise ValueError(f"unknown input `{name}`; known: {', '.join(RANGED)}")
    lowest, highest, allowed = RANGED[name]
    said = f"the range of `{name}` must be [low, high]"
    got = f"got [{low:g}, {high:g}]"
    if low > high:
        raise _range_error(f"{said}, {got}", f"the lower end first: [{high:g}, {low:g}]")
    if low < lowest or high > highest:
        hint = f"is {high:g} meant as {high / 100:g}?" if highest <= 1 <= high < 100 else None
        raise _range_error(f"{said}, {allowed}, {got}", hint)


def _range_error(problem: str, hint: str | None) -> PydanticCustomError:
    return PydanticCustomError("range", "{problem}", {"problem": problem, "hint": hint})


def load_demand(path: Path) -> Demand:
    """Read a demand file, or the bundled demand of that name (`support-agent`).

    Raises:
        UsageError: no such file, not YAML, an unknown key, a value out of range; names file and key.
    """
    bundled = bundled_scenarios_dir() / "demand"
    if not path.exists() and path.suffix == "" and (bundled / f"{path.name}.yaml").exists():
        path = bundled / f"{path.name}.yaml"
    names = ", ".join(sorted(file.stem for file in bundled.glob("*.yaml")))
    data = read_yaml(path, what="demand", hint=f"a file, or one that comes with Breakeven: {names}")
    return demand_from_dict(data, where=str(path))


def demand_from_dict(data: dict[str, Any], *, where: str = "demand") -> Demand:
    """A demand from a mapping, checked like a file's."""
    return validate(Demand, data, where=where)
