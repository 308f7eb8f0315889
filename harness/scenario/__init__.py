"""A load scenario: read from YAML, checked, with a digest that names the work and nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.base.errors import UsageError
from harness.base.yamlfile import read_yaml, validate
from harness.scenario.load import ClosedLoad, Load, OpenLoad, RampLoad, SearchLoad, TraceLoad
from harness.scenario.prompts import FilePrompts, Length, LengthSpread, Prompts, SessionPrompts, SyntheticPrompts
from harness.scenario.request import Request
from harness.scenario.strict import Strict
from harness.scenario.tasks import TaskPrompts

__all__ = [
    "ClosedLoad", "FilePrompts", "Length", "LengthSpread", "Limit", "Load", "OpenLoad", "Prompts", "RampLoad",
    "Request", "Scenario", "SearchLoad", "SessionPrompts", "Slo", "SyntheticPrompts", "TaskPrompts",
    "TraceLoad",
    "bundled_scenarios_dir", "find_scenario", "load_scenario",
]  # fmt: skip

SLO_PRESETS: dict[str, dict[str, float]] = {
    # MLPerf inference's limits (mlperf.conf), read at p99
    "chat": {"ttft_p99_s": 2.0, "tpot_p99_s": 0.2},
    "interactive_70b": {"ttft_p99_s": 0.45, "tpot_p99_s": 0.04},
    "interactive_8b": {"ttft_p99_s": 0.5, "tpot_p99_s": 0.03},
    "batch": {},
}
DEFAULT_ERROR_RATE = 0.01


class Limit(NamedTuple):
    """A latency limit: at most `seconds` at a percentile of the good requests."""

    latency: str  # ttft | tpot | e2e
    percentile: str  # p50 | p90 | p95 | p99
    seconds: float

    @property
    def key(self) -> str:
        """As a scenario writes it: `ttft_p95_s`."""
        return f"{self.latency}_{self.percentile}_s"


class Slo(Strict):
    """Latency limits in seconds at a percentile, and the share of requests that may fail."""

    preset: Literal["chat", "interactive_70b", "interactive_8b", "batch"] | None = Field(
        default=None, description="MLPerf's limits; own keys override single ones."
    )
    error_rate: float = Field(default=DEFAULT_ERROR_RATE, ge=0, lt=1, description="Share of requests, 0.01 = 1 %.")
    ttft_p50_s: float | None = Field(default=None, gt=0)
    ttft_p90_s: float | None = Field(default=None, gt=0)
    ttft_p95_s: float | None = Field(default=None, gt=0)
    ttft_p99_s: float | None = Field(default=None, gt=0)
    tpot_p50_s: float | None = Field(default=None, gt=0)
    tpot_p90_s: float | None = Field(default=None, gt=0)
    tpot_p95_s: float | None = Field(default=None, gt=0)
    tpot_p99_s: float | None = Field(default=None, gt=0)
    e2e_p50_s: float | None = Field(default=None, gt=0)
    e2e_p90_s: float | None = Field(default=None, gt=0)
    e2e_p95_s: float | None = Field(default=None, gt=0)
    e2e_p99_s: float | None = Field(default=None, gt=0)

    def limits(self) -> tuple[Limit, ...]:
        """Latency limits, the preset's under the user's own; with neither preset nor own keys those of `chat`."""
        own = self.model_dump(exclude={"preset", "error_rate"}, exclude_none=True)
        preset = self.preset or (None if own else "chat")
        limits: dict[str, float] = {**(SLO_PRESETS[preset] if preset else {}), **own}
        return tuple(Limit(key.split("_")[0], key.split("_")[1], seconds) for key, seconds in limits.items())


class Scenario(Strict):
    """One load scenario: how much load, which prompts, how asked, which limits, from which seed."""

    name: str = Field(max_length=100, description="Short name; part of the run directory's name.", examples=["chat"])
    load: Annotated[Load, Field(discriminator="kind")] = Field(
        default=ClosedLoad(), description="The shape of the load."
    )
    prompts: Annotated[Prompts, Field(discriminator="kind")] = Field(
        default=SyntheticPrompts(), description="What is asked."
    )
    request: Request = Field(default=Request(), description="How it is asked.")
    slo: Slo = Field(default=Slo(), description="What counts as served well.")
    seed: int = Field(default=1, ge=0, le=2**63 - 1, strict=True, description="Every random choice comes from it.")

    @field_validator("name")
    @classmethod
    def _usable_in_a_path(cls, value: str) -> str:
        if not value or not all(c.isalnum() or c in "-_." for c in value) or value.startswith("."):
            raise ValueError("only letters, digits, '-', '_' and '.' (it is part of a directory's name)")
        return value

    @model_validator(mode="before")
    @classmethod
    def _a_task_ends_where_its_answer_ends(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not _is_of_tasks(data.get("prompts")):
            return data
        request = data.get("request", {})
        return {**data, "request": {"force_length": False, **request}} if isinstance(request, dict) else data

    @field_validator("load", "prompts", mode="before")
    @classmethod
    def _kind_unless_said(cls, value: Any, info: ValidationInfo) -> Any:
        usual = "closed" if info.field_name == "load" else "synthetic"
        return {"kind": usual, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _shapes_fit(self) -> Scenario:
        if isinstance(self.prompts, SessionPrompts) and self.load.is_open:
            raise ValueError(
                f"prompts of kind sessions need users (a user is a conversation), not `load.kind: {self.load.kind}` "
                "by rate"
            )
        if isinstance(self.load, TraceLoad) and not isinstance(self.prompts, SyntheticPrompts):
            raise ValueError("a trace gives the lengths itself: `prompts.kind` must be synthetic")
        return self

    @model_validator(mode="after")
    def _tasks_have_one_load(self) -> Scenario:
        if not isinstance(self.prompts, TaskPrompts):
            return self
        load = self.load
        loads = (
            load.users if isinstance(load, ClosedLoad) else load.requests_per_s if isinstance(load, OpenLoad) else []
        )
        if len(loads) != 1:
            kind = "users" if isinstance(load, ClosedLoad) else "requests_per_s" if isinstance(load, OpenLoad) else None
            said = f"`load.{kind}` has {len(loads)}" if kind else f"not `load.kind: {load.kind}`"
            raise ValueError(f"prompts of kind tasks are asked under one load, one number of users or one rate: {said}")
        if self.request.force_length:
            raise ValueError(
                "`request.force_length: true` makes a server go on where its answer has ended: no task could be judged"
            )
        return self

    @property
    def think_time_s(self) -> float:
        """Seconds that a user waits between two requests; 0 where there are none, or they don't."""
        return 0.0 if isinstance(self.load, OpenLoad | TraceLoad) or self.load.is_open else self.load.think_time_s

    @property
    def wants_prefix_reuse(self) -> bool:
        """Whether prompts share text on purpose, so that hits in a prefix cache are part of the work."""
        prompts = self.prompts
        if isinstance(self.load, TraceLoad) or isinstance(prompts, TaskPrompts) or self.has_conversations:
            return True  # a task is asked as it stands, and what tasks share is shared in use too
        if isinstance(prompts, SyntheticPrompts):
            return prompts.shared_prefix_tokens > 0
        return isinstance(prompts, FilePrompts) and not prompts.nonce

    @property
    def has_conversations(self) -> bool:
        """Whether each user goes on with a conversation, so that a request has the ones before it in it."""
        prompts = self.prompts
        if isinstance(prompts, FilePrompts):
            return prompts.format == "sharegpt" and not self.load.is_open
        return isinstance(prompts, SessionPrompts)

    def digest(self) -> str:
        """sha256 of the work: everything but the name, defaults filled in. Equal digest, equal work."""
        work = self.model_dump(mode="json", exclude={"name"})
        work["request"] = self.request.asked()
        if isinstance(self.load, TraceLoad):  # what came later and says nothing makes no other work
            work["load"] = {k: v for k, v in work["load"].items() if v is not None or k not in ("columns", "time_unit")}
        return hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()


def _is_of_tasks(prompts: Any) -> bool:
    return isinstance(prompts, TaskPrompts) or (isinstance(prompts, dict) and prompts.get("kind") == "tasks")


def load_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        UsageError: no such file, not YAML, an unknown key, a value out of range; names file and key.
    """
    data = read_yaml(path, what="scenario", hint="`breakeven init` writes one to start from")
    scenario = validate(Scenario, data, where=str(path))
    _check_limits_can_be_judged(scenario, path)
    return scenario


def _check_limits_can_be_judged(scenario: Scenario, path: Path) -> None:
    """Without a stream nobody sees a first token. Not asked of a run's own scenario: older ones were let through.

    Raises:
        UsageError: a limit that no request of the scenario can be held to.
    """
    unseen = [limit.key for limit in scenario.slo.limits() if limit.latency in ("ttft", "tpot")]
    if unseen and not scenario.request.stream:
        raise UsageError(
            f"{path}: `slo`: {' and '.join(unseen)} cannot be judged with `request.stream: false`, which shows no "
            "first token",
            hint="stream: true, or limits on e2e alone (`slo: {e2e_p95_s: 10}`), or none (`slo: {preset: batch}`)",
        )


def bundled_scenarios_dir() -> Path:
    """Where the scenarios that ship with Breakeven lie: in the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent.parent
    for candidate in (package / "scenarios", package.parent / "scenarios"):
        if candidate.is_dir():
            return candidate
    raise UsageError("the bundled scenarios are missing from this installation", hint="reinstall breakeven")


def find_scenario(name_or_path: str) -> Path:
    """A path as given, or the bundled scenario of that name."""
    path = Path(name_or_path)
    if path.exists() or path.suffix in {".yaml", ".yml"} or "/" in name_or_path:
        return path
    bundled = bundled_scenarios_dir()
    candidate = bundled / f"{name_or_path}.yaml"
    if candidate.exists():
        return candidate
    known = ", ".join(sorted(p.stem for p in bundled.glob("*.yaml")))
    raise UsageError(f"no scenario `{name_or_path}`: neither a file nor a bundled scenario", hint=f"bundled: {known}")
