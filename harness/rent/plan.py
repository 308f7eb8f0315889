"""What is to be rented, what is to be measured on it, and what that may cost at most."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from harness.base.errors import UsageError
from harness.base.units import SECONDS_PER_HOUR
from harness.base.yamlfile import Label, Strict, read_yaml, validate
from harness.engines import ENGINES
from harness.prices.catalog import find_instance, known_instance, quote_for
from harness.prices.record import PURCHASES
from harness.rent.compose import has_recipe
from harness.rent.sky.clouds import CLOUDS
from harness.scenario import Scenario, find_scenario, load_scenario
from harness.scenario.estimate import estimate
from harness.scenario.files import files_of

SETUP_S = 1800.0  # to bring an engine up the first time: install, compile, fetch weights
TEARDOWN_S = 120.0
LARGEST_USD, LONGEST_H = 100_000.0, 24.0 * 31
PROVIDERS = ("local", "ssh", *CLOUDS)
LARGEST_DISK_GB = 65536
Place = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Budget(Strict):
    """What is stopped at, whichever comes first."""

    usd: Annotated[float, Field(gt=0, le=LARGEST_USD)]
    hours: Annotated[float, Field(gt=0, le=LONGEST_H)] = Field(description="From launch to gone: the box ends itself.")


_OF_A_CLOUD = ("instance_type", "region", "zone", "disk_gb", "image")


def _one_of(known: Sequence[str], what: str, name: str) -> str:
    if name not in known:
        raise ValueError(f"no {what} `{name}`; known: {', '.join(known)}")
    return name


class RentPlan(Strict):
    """A plan file: every engine with every model under every scenario, on one box, one after the other."""

    name: Name
    provider: Label = Field(
        default="local", description="Who makes the box: `local` (this machine), `ssh`, or a cloud."
    )
    host: Label | None = Field(default=None, description="Of provider `ssh`: as ssh takes it.")
    power_off: bool = Field(default=False, description="Of provider `ssh`: whether the machine is switched off, too.")
    instance: Label = Field(description="What is rented, for its price: an id of `breakeven prices list`.")
    instance_type: Place | None = Field(default=None, description="What the cloud calls it, where not `instance`.")
    region: Place | None = None
    zone: Place | None = None
    disk_gb: Annotated[int, Field(ge=30, le=LARGEST_DISK_GB)] | None = None
    image: Place | None = None
    purchase: Label = "on_demand"
    usd_per_hour: Annotated[float, Field(gt=0, le=LARGEST_USD)] | None = None
    engines: Annotated[list[Label], Field(min_length=1)]
    models: Annotated[list[Label | None], Field(min_length=1)] = Field(default=[None])
    scenarios: Annotated[list[Label], Field(min_length=1)]
    compose: Literal["8b", "70b"] | None = Field(
        default=None, description="Start the engines as containers, by this profile of infra/compose; none: natively."
    )
    until: Literal["decided", "everything"] = Field(
        default="decided", description="With a demand and APIs: whether a measurement that answers the plan ends it."
    )
    demand: Label | None = None
    apis: list[Label] = Field(default=[])
    env: list[Label] = Field(default=[], description="Variables that the box gets from here, by name: HF_TOKEN.")
    budget: Budget

    @field_validator("engines")
    @classmethod
    def _known(cls, engines: list[str]) -> list[str]:
        return [_one_of(sorted(ENGINES), "engine", name) for name in engines]

    @model_validator(mode="after")
    def _host_of_ssh(self) -> Self:
        if (self.provider == "ssh") != (self.host is not None):
            raise ValueError("`provider: ssh` goes with `host`, and no other does")
        if self.power_off and self.provider != "ssh":
            raise ValueError("`power_off` is of provider `ssh`: a cloud's box is deleted, this machine stays on")
        return self

    @model_validator(mode="after")
    def _composed(self) -> Self:
        if self.compose is not None:
            for engine in self.engines:
                if not has_recipe(engine):
                    raise ValueError(f"`compose`: there is no recipe for the engine `{engine}`")
        return self

    @field_validator("purchase")
    @classmethod
    def _bought(cls, purchase: str) -> str:
        return _one_of(PURCHASES, "purchase", purchase)

    @field_validator("provider")
    @classmethod
    def _reached(cls, provider: str) -> str:
        return _one_of(PROVIDERS, "provider", provider)

    @model_validator(mode="after")
    def _rentable(self) -> Self:
        """Refuse what no provider can rent so."""
        cloud = CLOUDS.get(self.provider)
        if cloud is None:
            stray = [key for key in _OF_A_CLOUD if key != "region" and getattr(self, key) is not None]
            if stray:
                raise ValueError(f"`{stray[0]}` is a cloud's, and the provider is `{self.provider}`")
            return self
        at = self.instance.partition("@")[2]
        if at and self.region and at != self.region:
            raise ValueError(f"`instance` is in {at}, `region` says {self.region}")
        if self.zone and not (at or self.region):
            raise ValueError("`zone` without a `region`")
        if self.purchase == "owned":
            raise ValueError(f"what is `owned` cannot be rented from {self.provider}")
        if self.purchase == "spot" and not cloud.has_spot:
            raise ValueError(f"{self.provider} has no spot boxes that SkyPilot can rent")
        if self.image and not cloud.has_images:
            raise ValueError(f"{self.provider} has no images that SkyPilot can choose")
        return self

    @property
    def rented_as(self) -> str:
        """How the box is bought by the hour; a commitment is for the answer's price, no cloud rents it by the hour."""
        is_committed = self.provider in CLOUDS and self.purchase != "spot"
        return "on_demand" if is_committed else self.purchase

    @property
    def listed(self) -> str:
        """The instance as the price list has it: with its region, where the plan says one."""
        name, _, at = self.instance.partition("@")
        region = self.region or at
        return f"{name}@{region}" if region else name

    @property
    def rented_in(self) -> str | None:
        """The region: the plan's, else the price list's of this instance; None: any."""
        row = known_instance(self.listed)
        ours = row.region if row is not None and row.provider == self.provider else None
        return self.listed.partition("@")[2] or ours

    def hourly_usd(self) -> float:
        """The price of the box by the hour: the plan's own, else the catalogue's.

        Raises:
            UsageError: nobody lists it, or not at this provider.
        """
        if self.usd_per_hour is not None:
            return self.usd_per_hour
        row = find_instance(self.listed)
        if self.provider in CLOUDS and row.provider != self.provider:
            raise UsageError(f"`{self.instance}` is {row.provider}'s, and the plan's provider is {self.provider}")
        return quote_for(row, self.rented_as).usd_per_hour


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement of a plan."""

    id: str  # the same in every run of the same plan, so that a run can go on where another ended
    engine: str
    model: str | None
    scenario: str
    most_s: float  # that it may take, the engine's start included

    @property
    def words(self) -> str:
        """`llama_server, SmolLM2, chat.yaml`."""
        return ", ".join(part for part in (self.engine, self.model, self.scenario) if part)


def read_plan(path: Path, *, host: str | None = None) -> RentPlan:
    """A plan file; with `host` for that machine, whatever it says.

    Raises:
        UsageError: no such file, an unknown key, a value out of range; names file and key.
    """
    data = read_yaml(path, what="plan", hint="name, instance, engines, scenarios, budget: {usd, hours}")
    if host is not None:
        kept = {key: value for key, value in data.items() if key not in _OF_A_CLOUD or key == "region"}
        data = {**kept, "provider": "ssh", "host": host}
    return validate(RentPlan, data, where=str(path))


def cells_of(plan: RentPlan, base_dir: Path) -> tuple[Cell, ...]:
    """Every measurement in the order in which it is made, an engine's together.

    Raises:
        UsageError: a scenario that cannot be used, or one named twice.
    """
    cells = []
    for engine, model, name in itertools.product(plan.engines, plan.models, plan.scenarios):
        path = scenario_path(name, base_dir)
        most_s = _most_s(load_scenario(path), path.parent) + SETUP_S
        contents = [_digest(one) for one in sent_with(path).values()]
        said = json.dumps([engine, model, path.read_text(encoding="utf-8"), *contents])
        cells.append(Cell(hashlib.sha256(said.encode()).hexdigest()[:12], engine, model, name, most_s))
    if len({cell.id for cell in cells}) < len(cells):
        raise UsageError("the plan names a measurement twice", hint="each engine, model and scenario once")
    return tuple(cells)


def scenario_path(name: str, base_dir: Path) -> Path:
    """A scenario beside the plan, or a bundled one by its name."""
    beside = base_dir / name
    return beside if beside.is_file() else find_scenario(name)


def sent_with(path: Path) -> dict[str, Path]:
    """The files that a scenario takes along, by the names it has for them.

    Raises:
        UsageError: one that is not below its folder: it would lie somewhere else on a box.
    """
    found = {}
    for name in files_of(load_scenario(path)):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UsageError(
                f"{path}: its file {name} does not lie below the scenario's folder, and cannot go to a box with it",
                hint="put it beside the scenario",
            )
        found[name] = path.parent / name
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _most_s(scenario: Scenario, base_dir: Path) -> float:
    planned = estimate(scenario, None, base_dir)
    return float(planned["seconds"]) + float(planned["hold_seconds"][1])


@dataclass(frozen=True, slots=True)
class Bound:
    """What a plan takes at most: all of it, and what its budget lets it."""

    hours: float
    usd: float
    capped_hours: float
    capped_usd: float

    @property
    def is_capped(self) -> bool:
        """Whether the budget may end it before all is measured."""
        return self.capped_hours < self.hours


def bound_of(plan: RentPlan, cells: tuple[Cell, ...]) -> Bound:
    """The upper bound: every load at its longest, every engine installed anew."""
    hours = (sum(cell.most_s for cell in cells) + TEARDOWN_S) / SECONDS_PER_HOUR
    hourly = plan.hourly_usd()
    capped = min(hours, plan.budget.hours, plan.budget.usd / hourly)
    return Bound(hours, hours * hourly, capped, capped * hourly)
