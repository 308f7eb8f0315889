"""What whoever watches a run is told of it: by its load processes, and by the parent that conducts them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.load.protocol import ClockFacts, Doing, Identified, Live, Looked, Prepared, Unfit, Warned
from harness.load.spending.purse import Spent
from harness.rundir.of_step import Role


@dataclass(frozen=True, slots=True)
class Opened:
    """The run has its directory, in which its rows are written down as they come."""

    run_dir: Path


@dataclass(frozen=True, slots=True)
class StepBegun:
    """A step begins at `start_s`."""

    step: int
    load: dict[str, Any]
    start_s: float
    planned_end_s: float


@dataclass(frozen=True, slots=True)
class RoundBegun:
    """A round of a task run begins; `solved` of all `tasks` are, before it."""

    number: int
    most: int  # rounds, if tasks are left in each
    role: Role
    asks: int
    solved: int
    tasks: int


@dataclass(frozen=True, slots=True)
class Waits:
    """A step's load is held, for so many requests."""

    left: int


@dataclass(frozen=True, slots=True)
class RemoteWorker:
    """What is known of a process elsewhere, as run.json keeps it; None before it has come."""

    worker: int
    host: str | None = None
    cores: int | None = None
    python: str | None = None
    calibration: dict[str, Any] | None = None
    clock: ClockFacts | None = None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The processes on other machines, whenever more is known of one."""

    workers: list[RemoteWorker]


@dataclass(frozen=True, slots=True)
class LostWorker:
    """A process that died, as run.json keeps it."""

    worker: int
    how: str
    t_s: float  # of the run, when it last told of its load


@dataclass(frozen=True, slots=True)
class Lost:
    """All that have died so far."""

    workers: list[LostWorker]


@dataclass(frozen=True, slots=True)
class BrokenPart:
    """A part of a process that failed, as run.json keeps it."""

    worker: int
    part: str
    text: str
    t_s: float


RunEvent = (
    Doing
    | Opened
    | Warned
    | Identified
    | Unfit
    | Looked
    | Prepared
    | Live
    | Spent
    | BrokenPart
    | StepBegun
    | RoundBegun
    | Waits
    | Elsewhere
    | Lost
)
