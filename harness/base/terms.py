"""How either side is paid beside its plain price: the same in a price file, a demand and a decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from harness.base.workload import LARGEST, Amount, PositiveShare, Share
from harness.base.yamlfile import Strict, validate

Ratio = Annotated[float, Field(strict=True, gt=0, le=1000)]
Rate = Annotated[float, Field(strict=True, gt=0, le=LARGEST)]


class _Unsaid(Strict):
    """What is at its default is not written: a file of one who has no such terms is as it was before there were any."""

    @model_serializer(mode="wrap")
    def _without_defaults(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = dump(self)
        plain = {name: field.default for name, field in type(self).model_fields.items() if name in self._unsaid()}
        return {name: value for name, value in written.items() if name not in plain or value != plain[name]}

    @classmethod
    def _unsaid(cls) -> set[str]:
        """Names that are left out at their default; a class that adds to these fields writes its own always."""
        raise NotImplementedError


class Terms(_Unsaid):
    """An arm's own properties. Each default changes nothing."""

    fixed_usd_per_month: Amount = Field(default=0, description="A fee that is due whatever is asked, e.g. seats.")
    units_usd_per_month: Amount = Field(
        default=0,
        description="A month of one unit of bought capacity (provisioned throughput); at least one is bought.",
    )
    unit_tasks_per_month: Rate | None = Field(
        default=None, description="Tasks a month that one unit serves. Neither this nor the next: one serves all."
    )
    unit_tokens_per_s: Rate | None = Field(
        default=None, description="Input and output tokens a second of one unit, which must hold the busiest hour."
    )
    usd_per_request: Amount = Field(default=0, description="Asked for each call beside its tokens.")
    usd_per_task: Amount = Field(
        default=0, description="What a task takes beside its calls: a person, for those that stay unsolved."
    )
    surcharge: Share = Field(default=0, description="Share on top of tokens and requests; 0.055 is 5.5 %.")
    success_rate: PositiveShare | None = Field(
        default=None,
        description="Share of its calls that succeed: it is asked as often as it takes to get as much done as the box. "
        "None: as the workload says, for both.",
    )
    output_ratio: Ratio = Field(default=1, description="Its output tokens for one of the demand's: how wordy it is.")
    reasoning_tokens: Amount = Field(default=0, description="Its hidden output tokens of a call, in its own tokens.")
    tokenizer_ratio: Ratio = Field(default=1, description="Its tokens for one token of the demand, same text.")
    cached_share: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        default=None, description="Share of the input read from its prompt cache. None: the demand's cached tokens."
    )

    @classmethod
    def _unsaid(cls) -> set[str]:
        return {*Terms.model_fields, "batch_share", "attempts_per_task", "solved_share"}

    @model_validator(mode="after")
    def _one_size_of_a_unit(self) -> Terms:
        if self.unit_tasks_per_month is not None and self.unit_tokens_per_s is not None:
            raise ValueError("give `unit_tasks_per_month` or `unit_tokens_per_s`, not both")
        return self


class ArmTerms(Terms):
    """The terms of an arm as a price file or a demand gives them."""

    batch_share: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        default=None, description="Share of the tasks that wait for its batch price. None: the demand's."
    )
    attempts_per_task: Annotated[float, Field(strict=True, ge=1, le=1000)] | None = Field(
        default=None, description="Calls that one task takes there. None: as measured, or as of the box."
    )
    solved_share: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        default=None, description="Share of the tasks that it solves with them. None: likewise."
    )

    def and_then(self, own: ArmTerms, *, where: str) -> ArmTerms:
        """These terms with what another gives laid over them.

        Raises:
            UsageError: the two do not go together.
        """
        said = {name: getattr(terms, name) for terms in (self, own) for name in terms.model_fields_set}
        return validate(ArmTerms, said, where=where)


class Running(_Unsaid):
    """How the box runs and is billed. Each default changes nothing: whole hours, all the time."""

    cold_start_s: Amount = Field(
        default=0,
        description="From launch to serving, billed; of instances that come with the load (min_instances: 0).",
    )
    idle_s: Amount = Field(default=0, description="How long such an instance waits, billed, before it goes.")
    usd_per_task: Amount = Field(
        default=0, description="What a task takes beside the instances: a person, for those that stay unsolved."
    )
    billing: Literal["per_hour", "per_second"] = Field(
        default="per_hour", description="per_second: serverless, each call in whole seconds and nothing between them."
    )
    usd_per_second: Amount | None = Field(
        default=None, description="Price of a second, with billing per_second. None: the hour's over 3600."
    )
    service_s: Rate | None = Field(
        default=None,
        description="Seconds of a call, billed rounded up, with billing per_second. None: 1/goodput, one at a time.",
    )

    @classmethod
    def _unsaid(cls) -> set[str]:
        return set(Running.model_fields)

    @model_validator(mode="after")
    def _of_a_second(self) -> Running:
        for name in ("usd_per_second", "service_s"):
            if getattr(self, name) is not None and self.billing != "per_second":
                said = f"`{name}` belongs to `billing: per_second`, and billing is {self.billing}"
                raise _misfit(said, "give both, or neither")
        return self


def check_units(terms: Terms) -> None:
    """Whether a size of a unit has a price of one beside it; the two may come from different files.

    Raises:
        PydanticCustomError: it has none.
    """
    for name in ("unit_tasks_per_month", "unit_tokens_per_s"):
        if getattr(terms, name) is not None and not terms.units_usd_per_month:
            said = f"`{name}` is the size of a unit, but `units_usd_per_month` gives no price of one"
            raise _misfit(said, "for example units_usd_per_month: 2448")


def check_running(running: Running, min_instances: int, *, has_profile: bool, key: str) -> None:
    """Whether instances may come and go as it says; `key` is where `min_instances` stands.

    Raises:
        PydanticCustomError: none at times, and no hours that say when; or starts of instances that never go.
    """
    given = [f"`self_host.{name}`" for name in ("cold_start_s", "idle_s") if getattr(running, name)]
    if running.billing == "per_second":
        if given:
            said = f"{given[0]} is of instances by the hour; with `billing: per_second` calls alone are billed"
            raise _misfit(said, "add it to `service_s`, or leave it out")
        return
    if min_instances == 0 and not has_profile:
        said = f"`{key}`: 0 (scale to zero) needs an `hourly_profile`, which says when none is needed"
        raise _misfit(said, "give 24 or 168 weights, or `min_instances` of 1 or more")
    if given and min_instances > 0:
        said = f"{given[0]} is of instances that go when nothing arrives, but `{key}` is {min_instances}"
        raise _misfit(said, "`min_instances: 0` lets them go")


def _misfit(said: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("terms", "{said}", {"said": said, "hint": hint})
