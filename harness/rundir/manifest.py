"""run.json: what was driven, by whom, with what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, model_validator
from pydantic_core import core_schema

from harness.base.errors import UsageError
from harness.base.people import PeopleSaid
from harness.rundir.box import BoxFacts
from harness.rundir.driven import Driven
from harness.rundir.identity import Flags, GpuSeen, Identity, SaidText, Via, with_users_word
from harness.rundir.imported import Imported
from harness.rundir.result import Result

SCHEMA = 1
MOST_REPLICAS = 1000
LONGEST_MODEL = 4096  # characters of a model's name: it may be a path; backends.said takes no longer one


class _Facts(BaseModel):
    """Keys of an object of run.json that are read; it may have others, and lack any of these."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Engine(_Facts):
    name: str | None = None
    version: str | None = None
    flags: Flags = None


_Count = Annotated[int, Field(ge=1, le=MOST_REPLICAS)]


class InstanceFacts(_Facts):
    """What was rented, and as how many such instances what was driven counts."""

    id: str | None = None
    purchase: str | None = None
    usd_per_hour: float | None = None
    replicas: _Count | None = None  # equal engines on one instance; more than 1: somebody said so
    replicas_given: bool = False  # whether somebody did, of 1 too: so many fill it
    replicas_driven: _Count | None = None  # URLs
    boxes: _Count | None = None  # instances that they are; None: nobody said

    @property
    def driven(self) -> int:
        """URLs that were driven."""
        return self.replicas_driven or 1

    @property
    def per_instance(self) -> int:
        """Equal engines on one instance, where somebody said so; else 1."""
        return self.replicas or 1

    @property
    def is_filled(self) -> bool:
        """Whether somebody said how many engines fill an instance."""
        return self.replicas_given or self.per_instance > 1

    @property
    def instances(self) -> float | None:
        """As how many instances what was driven counts; None: several URLs, and nobody said of how many.

        The one factor between what was measured and one instance. One URL of four equal ones on the box: 0.25.
        """
        if self.boxes is not None:
            return float(self.boxes)
        if self.per_instance > 1:
            return self.driven / self.per_instance
        return 1.0 if self.driven == 1 else None


def taken_as(driven: int, per_instance: int, instances: float | None) -> str:
    """`4 URLs taken as one box`; empty where one URL is one box, or nobody said how many they are."""
    if instances is None or (driven == 1 and instances == 1):
        return ""
    urls = f"{driven} URL{'' if driven == 1 else 's'}"
    of = f", {per_instance} equal replicas a box," if per_instance > 1 else ""
    return f"{urls}{of} taken as {'one box' if instances == 1 else f'{instances:g} boxes'}"


def with_boxes(instance: Mapping[str, Any], boxes: int | None, replicas: int | None = None) -> dict[str, Any]:
    """run.json's `instance`, what was driven being so many boxes, or so many of it one; None: as it says itself.

    Raises:
        UsageError: both are said, and do not go together.
    """
    if replicas is not None:
        driven = InstanceFacts.model_validate(instance).driven
        if replicas == 1 and boxes not in (None, driven):
            raise UsageError(
                f"--boxes {boxes} and --replicas-per-instance 1: {driven} were driven", hint="leave either out"
            )
        each = driven if replicas == 1 else None
        instance = {**instance, "replicas": replicas, "replicas_given": True, "boxes": each}
    if boxes is None:
        return dict(instance)
    facts = InstanceFacts.model_validate(instance)
    if facts.per_instance > 1 and boxes * facts.per_instance != facts.driven:
        urls = f"{facts.driven} URL{'' if facts.driven == 1 else 's'}"
        raise UsageError(
            f"--boxes {boxes} of {facts.per_instance} replicas each are not the {urls} driven",
            hint="--boxes or --replicas-per-instance: either alone says how many boxes they are",
        )
    return {**instance, "boxes": boxes}


class _Ended(_Facts):
    text: str
    hint: str | None


class _SearchEnd(_Facts):
    reason: str
    text: str


class _Clock(_Facts):
    error_s: float | None
    moved_s: float | None
    moved_error_s: float | None


class _Error(_Facts):
    p99_s: float | None


class _CalibratedLevel(_Facts):
    streams: float
    tokens_per_s: float
    void: str | None
    ttft: _Error
    itl: _Error

    @model_validator(mode="after")
    def _known_unless_void(self) -> _CalibratedLevel:
        if self.void is None and None in (self.ttft.p99_s, self.itl.p99_s):
            raise ValueError("a level that is not void must know both its errors (p99_s)")
        return self


class _Calibration(_Facts):
    taken_at: str
    levels: list[_CalibratedLevel]


class _RemoteWorker(_Facts):
    worker: int
    host: str | None
    cores: int | None
    calibration: _Calibration | None
    clock: _Clock | None


class _Lost(_Facts):
    worker: int
    how: str
    t_s: float


class _Client(_Facts):
    workers: int | None = None
    calibration: _Calibration | None = None
    remote_workers: list[_RemoteWorker] | None = None
    header_names: list[str] | None = None
    search: _SearchEnd | None = None
    served_models: list[str] | None = None
    ended_early: _Ended | None = None
    cut_short: str | None = None  # why a run that came to its end is partial
    lost_workers: list[_Lost] | None = None
    unfit: list[_Ended] | None = None
    added_tokens: int | None = None  # that every prompt has besides its text, and that are counted in
    added_at_turns: list[int] | None = None  # those of a conversation's first turns, where the endpoint told them


def _checked(given: dict[str, Any], check: Callable[[Any], object]) -> dict[str, Any]:
    """As it was given: it is read as these facts, and kept with every key it has."""
    check(given)
    return given


def _object(facts: type[_Facts]) -> GetPydanticSchema:
    as_given = core_schema.plain_serializer_function_ser_schema(dict)
    return GetPydanticSchema(
        lambda _, schema_of: core_schema.no_info_wrap_validator_function(
            _checked, schema_of(facts), serialization=as_given
        )
    )


class RunManifest(Result):
    """run.json: what was driven, by whom, with what. Engine facts are what the engine itself reported."""

    model_config = ConfigDict(frozen=False, strict=True)

    scenario: dict[str, Any]  # the whole scenario, defaults filled in
    scenario_digest: str
    backend: str
    engine: Annotated[dict[str, Any], _object(_Engine)]  # name, version, flags
    model: Annotated[str, Field(max_length=LONGEST_MODEL)] | None
    quantization: Annotated[str, Field(max_length=LONGEST_MODEL)] | None
    instance: Annotated[dict[str, Any], _object(InstanceFacts)]  # id, purchase, usd_per_hour, replicas, boxes
    client: Annotated[dict[str, Any], _object(_Client)]
    seed: int
    started_at: str  # UTC, ISO 8601
    started_monotonic_ns: int
    harness_version: str
    git_revision: str | None
    partial: bool = False  # true from the first write on, false in the last one of a run that is whole
    version: int = Field(default=SCHEMA, alias="schema")
    urls: list[str] = Field(default=[])
    arms: list[str] = Field(default=[])  # API arms asked for, "provider:model"
    demand: dict[str, Any] | None = None  # the demand priced, so that a report can be made again; None: none was given
    people: PeopleSaid | None = None  # who operates the box, where somebody said so and gave no demand
    notes: list[str] = Field(default=[])
    salt: str | None = None  # what the prompts' words were drawn from; None: an older version's, the seed
    prompts_of: str | None = None  # the run whose prompts were sent again, byte for byte
    identity: Identity | None = None  # who answered; None: an older version's run
    via: Via | None = None  # what stood between, as far as an answer's headers said
    driven: Driven | None = None  # the API that was driven within a spending limit; None: nothing was paid by the token
    tasks_digest: str | None = None  # of a task run's file, by what is asked and held to; None: no task run
    beside: list[str] = Field(default=[])  # directories of the other engines' runs that were measured beside it
    gpus: list[GpuSeen] | None = None  # this machine's, before the load; None: none was seen, or all answer elsewhere
    box: BoxFacts | None = None  # what a rented box said of itself; None: it was no such box
    imported: Imported | None = None  # the other tool that measured; None: it was measured here

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        schema, engine = data.get("schema", SCHEMA), data.get("engine")
        if not isinstance(schema, int) or schema > SCHEMA:
            raise ValueError(f"`schema` is {schema!r}, this version of breakeven reads up to {SCHEMA}")
        instance, urls = data.get("instance"), data.get("urls") or ()
        if isinstance(instance, dict) and "replicas_driven" not in instance and len(urls) > 1:
            data = {**data, "instance": instance | {"replicas_driven": len(urls)}}
        if isinstance(engine, dict) and engine.get("name") == "llama-server":  # --url called it so before 2026-11-28
            return {**data, "engine": engine | {"name": "llama_server"}}
        return data


def with_weights(run: RunManifest, weights: str | None, quantization: str | None) -> RunManifest:
    """The run with what the user says of its weights; what the engine said stands.

    Raises:
        UsageError: it said something else.
    """
    if weights is None and quantization is None:
        return run
    said = run.identity or Identity()
    if said.quantization is None and run.quantization is not None:  # an older version's run
        said = said.model_copy(update={"quantization": SaidText(value=run.quantization, said_by="its run.json")})
    said = with_users_word(said, weights, quantization, "what was measured")
    told = said.quantization.value if said.quantization is not None else None
    return run.model_copy(update={"identity": said, "quantization": told})
