"""decision.json as types: what a run's goodput costs and when it pays. Built once, never changed.

Money is USD, rates are USD per million tokens, volumes are tasks a month, `step` counts from 0 as in metrics.json.
Unknown is None, never 0.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from harness.rundir.arm_price import ArmPrice, Day, PriceKind
from harness.rundir.decide import Decided, DecideInput
from harness.rundir.identity import SaidText
from harness.rundir.manifest import taken_as
from harness.rundir.result import Check, Kind, Result
from harness.rundir.results import Goodput
from harness.rundir.success import Success
from harness.rundir.whatif import MonteCarlo, Projection, Sensitivity

DECISION_SCHEMA = 1

Role = Literal["frontier", "same_weights", "cheap", "user"]


class BoxInstance(Result):
    """The rented machine and its price; what is None the catalogue does not say."""

    id: str
    provider: str | None
    region: str | None
    gpu: str | None
    gpu_count: int | None
    gpu_memory_gib: float | None  # of one GPU
    usd_per_hour: Annotated[float, Field(ge=0)]
    purchase: str
    replicas: Annotated[int, Field(ge=1)]  # equal engines on it, where somebody said so; else 1
    replicas_driven: Annotated[int, Field(ge=1)] = 1  # URLs
    instances_driven: float | None = None  # that they are: goodput and tokens/s are the measured ones over this
    gpus_used: float | None = None  # of `gpu_count`, by the engines counted on one instance; None: nobody knows
    unpriced: str | None = None  # why its GPUs leave it without a price for what was measured; None: it has one
    source: str
    checked_on: Day
    kind: PriceKind

    @property
    def taken_as(self) -> str:
        """`4 URLs taken as one box`; empty where one URL is one box."""
        return taken_as(self.replicas_driven, self.replicas, self.instances_driven)

    @property
    def gpus_idle(self) -> str:
        """`3 of 4 GPUs idle`; empty where none is, or nobody knows."""
        if self.gpus_used is None or not self.gpu_count or self.gpus_used >= self.gpu_count:
            return ""
        return f"{self.gpu_count - self.gpus_used:g} of {self.gpu_count} GPU{'s' * (self.gpu_count > 1)} idle"


class MtokAtStep(Result):
    """USD per million tokens of the box kept busy as in one load step."""

    step: int | None  # None: no step was measured, the goodput was given
    output_only: float  # the whole hour on output tokens
    total: float | None  # the whole hour on input and output tokens alike
    input_tokens_per_s: float | None
    output_tokens_per_s: float


class PerMtok(Result):
    """At the step that gives the goodput, and at the one with most output; None: there is none."""

    at_slo: MtokAtStep | None
    at_peak: MtokAtStep | None


class Split(Result):
    """An hour of the box shared out over input and output tokens by one convention."""

    convention: Literal["output_only", "total", "weighted"]
    label: str
    input_usd_per_mtok: float
    output_usd_per_mtok: float
    hour_usd: float


class MeasuredWeight(Result):
    """What an output token takes of the box, as so many input tokens; fitted over runs of different shape."""

    output_weight: float
    seconds_per_input_token: float
    seconds_per_output_token: float
    runs: int
    largest_misfit: float


class Splits(Result):
    """The conventions at one step; `measured_weight` None: the weight is assumed."""

    step: int | None  # as of the rates that it splits
    conventions: tuple[Split, ...]
    measured_weight: MeasuredWeight | None


class Box(Result):
    """The self-host side: what is rented, what it served, what a million tokens costs on it."""

    instance: BoxInstance
    goodput: Goodput | None  # of the whole instance; None: `why_no_goodput`
    why_no_goodput: str | None = None
    given: str | None = None  # how the goodput was given; None: it was measured
    usd_per_mtok: PerMtok
    splits: Splits | None

    @property
    def origin(self) -> Literal["measured", "given"]:
        """Where the goodput is from."""
        return "measured" if self.given is None else "given"

    @property
    def no_goodput(self) -> str:
        """Why there is no goodput, where there is none; an older version knew but one reason."""
        return self.why_no_goodput or "no load step met the SLO"


class ClassCost(Result):
    """What a call of one class of the demand costs at an arm's prices."""

    name: str
    share: float
    input_tokens: float
    output_tokens: float
    turns: int
    usd_per_task: float


class Arm(Result):
    """One API beside the box: its price, what was decided on, what was decided, and what would change it."""

    name: str
    role: Role
    label: str
    provider: str
    model: str
    price: ArmPrice
    input: DecideInput
    decided: bool = True  # False: the measurement cannot say who wins, and `why_not` says why
    why_not: str | None = None
    decision: Decided
    sentence: str
    assumes: str | None = None  # what the demand left open and the answer takes for granted
    decision_without_people: Decided
    sentence_without_people: str
    classes: tuple[ClassCost, ...]
    sensitivity: Sensitivity | None = None
    monte_carlo: MonteCarlo | None = None
    projection: Projection | None = None
    success: Success


class People(Result):
    """Those who operate the box, as its month has them."""

    usd_per_month: float
    fte: float | None  # whole people; None: paid otherwise than by the year
    assumed: bool  # nobody's own figure
    assumed_usd_per_year: float | None = None  # a whole person's pay, where that is nobody's own figure
    assumed_pay_fte: float | None = None  # of how many of them it is; None: of all


class BillLine(Result):
    """One line of a month's bill."""

    line: str
    name: str
    usd: float
    arm: Literal["self_host", "api", "both"]  # who pays it
    kind: Kind
    note: str


class Bill(Result):
    """The month of the box or of an arm, line by line."""

    name: str
    lines: tuple[BillLine, ...]
    total_usd: float
    total_usd_per_task: float | None
    decided_usd: float
    one_off_usd: float  # in no month


class PurchaseOption(Result):
    """A way to buy the instances; without a price `note` says why. `saving_usd` by arm."""

    option: str
    usd_per_month: float | None
    instance_hours_per_month: float | None
    usd_per_instance_hour: float | None
    source: str | None
    checked_on: Day
    note: str
    saving_usd: dict[str, float] | None


class RegionPrice(Result):
    """The same instance on demand in a region."""

    region: str | None
    usd_per_hour: float
    usd_per_month: float
    checked_on: Day


class PurchaseOptions(Result):
    """Ways to buy what the demand's hours need, cheapest first."""

    instances_by_hour: Annotated[tuple[int, ...], Field(min_length=1)]
    profile: str
    options: tuple[PurchaseOption, ...]
    regions: tuple[RegionPrice, ...]


class Fact(Result):
    """A number that went in: measured, listed by someone on a date, or assumed by someone."""

    what: str
    value: float | None
    unit: str
    kind: Kind
    source: str
    date: Day


class Decision(Result):
    """decision.json."""

    version: int = Field(default=DECISION_SCHEMA, alias="schema")
    demand: dict[str, JsonValue] = Field(description="The demand file that was priced, defaults filled in.")
    self_host: Box
    people: People | None = None  # None: an older version
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)]
    checks: tuple[Check, ...]
    monthly: tuple[Bill, ...]  # empty without a volume
    purchase_options: PurchaseOptions | None
    provenance: tuple[Fact, ...]
    weights: SaidText | None = None  # that were priced, and who says so; None: nobody, or an older version's
    quantization: SaidText | None = None
    inputs_digest: str  # sha256 of the arms' inputs: equal digest, equal decision

    @property
    def is_asked(self) -> bool:
        """Whether somebody gave the demand; else it is the run's own requests, with no volume."""
        return self.demand.get("made_of_run") is None

    @property
    def tasks_per_month(self) -> float | None:
        """The reader's volume; None: none was given."""
        return self.arms[0].input.workload.tasks_per_month
