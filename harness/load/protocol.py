"""What a run's parent and its load processes say to each other, here or on another machine: one line a message.

Each message is a type; its line is its name and its fields as JSON. A line is read once, where it comes in; one that
is no message costs only itself.
"""

from dataclasses import dataclass, field
from typing import Any, get_args

from pydantic import TypeAdapter

from harness.load.lines import decode, readers
from harness.load.plan import Learned, LoadPlan
from harness.load.spending.purse import Spent
from harness.rundir.identity import Flags, Identity, SaidCount, Via
from harness.scenario.steps import Step

# ---- what a load process says


@dataclass(frozen=True, slots=True)
class Doing:
    """What is being done, for the display."""

    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know, and that the load goes on with."""

    text: str


@dataclass(frozen=True, slots=True)
class Identified:
    """Who answers, as the first process has been told."""

    identity: Identity
    served_models: list[str]
    model: str | None  # that is asked for
    flags: Flags = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """What of the scenario the server does not take, by its own words; the load begins all the same."""

    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What one request to each URL showed before the load."""

    request_s: float | None  # that the slowest served one took; None: none was served
    via: Via | None
    parallel: SaidCount | None = None  # GPUs of one copy of the weights, as the answer said
    gpus: SaidCount | None = None  # of all copies behind one URL


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the first process has found out: all that the others must know."""

    learned: Learned


@dataclass(frozen=True, slots=True)
class Ready:
    """It awaits its steps."""


@dataclass(frozen=True, slots=True)
class Alive:
    """Its loop comes round, whatever else it is busy with."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look of a load process at itself: a row of client.parquet."""

    t_s: float
    process: int
    cpu: float  # of one core
    loop_lag_p50_s: float
    loop_lag_max_s: float
    schedule_lag_max_s: float
    in_flight: int
    asked: int | None  # requests in flight that it is meant to have; None: an open load, as many as come
    events: int  # of requests that ended since the last sample
    shared_events: int
    connections: int
    clock_steps: int
    found_closed: int  # kept connections, since the last sample, that the server had closed before they were used


@dataclass(frozen=True, slots=True)
class Live(Sample):
    """A sample, and how the load stands: totals of the run, but for what is said otherwise."""

    sent: int
    finished: int
    failed: int
    not_sent: int
    refused: int  # answers that any further request would get too
    unreachable: int  # requests in a row, up to now, that found nobody
    unreachable_s: float  # for how long
    last_error: str | None
    output_tokens: int  # that came since the last sample, whatever becomes of their requests
    ttft_p50_s: float | None  # of the last seconds, as all that are named so
    ttft_max_s: float | None
    e2e_p50_s: float | None  # of the latest that ended well
    ttft_p99_s: float | None = None
    tpot_p50_s: float | None = None
    tpot_p99_s: float | None = None
    errors: dict[str, int] = field(default_factory=dict)  # failed requests by kind
    waiting: list[tuple[str, float, float]] = field(default_factory=list)
    """(request_id, scheduled_s, seconds waited) of those whom a search may count as late already."""


@dataclass(frozen=True, slots=True)
class Holding:
    """The window is over; so many requests that were due in it are still under way, and the load goes on for them."""

    order: int
    left: int


@dataclass(frozen=True, slots=True)
class Held:
    """All requests that were due in the window have ended; the load goes on until the next order."""

    order: int


@dataclass(frozen=True, slots=True)
class Idle:
    """The load rests, and nothing is under way."""

    order: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of it failed; the load goes on without."""

    part: str  # "the sampler"
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot go on; its last word."""

    message: str
    exit_code: int
    hint: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Every row is written; its last word."""

    interrupted: bool


# ---- what is said for a load process elsewhere, by the process that knows its machine


@dataclass(frozen=True, slots=True)
class Who:
    """A machine that lends a process."""

    version: str
    host: str
    cores: int | None
    python: str
    calibration: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """How well another machine's clock is known, in s: at the start, and how far it has moved since; None: n/a."""

    error_s: float | None
    moved_s: float | None
    moved_error_s: float | None
    echoes: int


@dataclass(frozen=True, slots=True)
class Joined:
    """It has come."""

    who: Who
    clock: ClockFacts


@dataclass(frozen=True, slots=True)
class Left:
    """It is gone, and how."""

    how: str
    clock: ClockFacts


Event = (
    Doing
    | Warned
    | Identified
    | Unfit
    | Looked
    | Prepared
    | Ready
    | Alive
    | Live
    | Holding
    | Held
    | Idle
    | Spent
    | Broken
    | Failed
    | Done
    | Joined
    | Left
)


# ---- what a load process is told


@dataclass(frozen=True, slots=True)
class Begin:
    """Its plan, the first that it hears. `attached`: files that travel with it, by the names that the plan has."""

    plan: LoadPlan
    attached: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSteps:
    """Run these one after another, the first from `start_s` on, then hold the last one's load. The crew numbers its
    orders.
    """

    steps: list[Step]
    start_s: float
    order: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """Begin nothing until the next steps; what is under way may end."""


@dataclass(frozen=True, slots=True)
class CutStep:
    """End the step that is on, and what it has under way."""


@dataclass(frozen=True, slots=True)
class Drop:
    """End what is under way."""


@dataclass(frozen=True, slots=True)
class Finish:
    """No more steps come."""


@dataclass(frozen=True, slots=True)
class End:
    """End now, keep every row."""


Command = Begin | RunSteps | Rest | CutStep | Drop | Finish | End


# ---- how they are read


_EVENTS: dict[bytes, TypeAdapter[Event]] = readers(*get_args(Event))
_COMMANDS: dict[bytes, TypeAdapter[Command]] = readers(*get_args(Command))


def event_of(line: bytes) -> Event:
    """What a load process says.

    Raises:
        Malformed: a library's print, or a line that was cut.
    """
    return decode(_EVENTS, line)


def command_of(line: bytes) -> Command:
    """What a load process is told.

    Raises:
        Malformed: it is no command.
    """
    return decode(_COMMANDS, line)
