"""What would change a decision, as types of decision.json: one input at a time, all at once, the months ahead."""

from typing import Annotated, Literal

from pydantic import Field

from harness.rundir.decide import Side, Verdict
from harness.rundir.result import Kind, Result


class Input(Result):
    """An input of the decision and what it is now."""

    input: str
    unit: str
    value: float


class Swing(Input):
    """One input at the low and the high end of its range, and what that does to saving, verdict and winner."""

    low: float
    high: float
    range_from: str
    saving_usd_at_low: float | None
    saving_usd_at_high: float | None
    verdict_at_low: Verdict
    verdict_at_high: Verdict
    winner_at_low: Side
    winner_at_high: Side
    flips_verdict: bool
    flips_winner: bool

    @property
    def width_usd(self) -> float | None:
        """How far the saving moves; None where one end has none."""
        if self.saving_usd_at_low is None or self.saving_usd_at_high is None:
            return None
        return abs(self.saving_usd_at_high - self.saving_usd_at_low)

    @property
    def flips(self) -> bool:
        """Whether winner or verdict are others at one of the ends."""
        return self.flips_winner or self.flips_verdict


class Flips(Result):
    """The nearest values of an input, on each side of the present one, at which the answer changes."""

    below: float | None
    above: float | None


class FlipPoint(Input):
    """Where one input changes the winner at the reader's volume, and the verdict over all volumes."""

    winner_flips: Flips
    verdict_flips: Flips


class BreakEvenValues(Result):
    """The value of each input at which both sides cost the same; None: no value above 0 does."""

    tasks_per_month: float | None
    utilization: float | None
    goodput_requests_per_s: float | None
    usd_per_hour: float | None
    api_price_factor: float | None
    people_usd_per_month: float | None


class Axis(Result):
    """An input and the values it takes."""

    input: str
    values: tuple[float, ...]


class TwoWay(Result):
    """Two inputs against each other; rows are `y`, columns `x`."""

    x: Axis
    y: Axis
    saving_usd: tuple[tuple[float | None, ...], ...]
    winner: tuple[tuple[Side, ...], ...]
    verdict: tuple[tuple[Verdict, ...], ...]


class Sensitivity(Result):
    """What would change the answer."""

    saving_usd_per_month: float | None
    tornado: tuple[Swing, ...]
    flip_points: tuple[FlipPoint, ...]
    break_even: BreakEvenValues | None
    two_way: TwoWay | None


class VerdictShares(Result):
    """Share of the draws with each verdict."""

    never: float
    window: float
    yes: float

    def of(self, verdict: Verdict) -> float:
        """The share of one verdict."""
        return {"never": self.never, "window": self.window, "yes": self.yes}[verdict]


class Distribution(Result):
    """Mean and quantiles over the draws."""

    mean: float
    p05: float
    p25: float
    p50: float
    p75: float
    p95: float


class FirstWins(Result):
    """Quantiles of the lowest volume at which self-hosting wins, over all draws; None: in so many it never does."""

    p05: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p95: float | None


class Varied(Input):
    """An uncertain input: between which values it was drawn, how, and who says so."""

    drawn: Literal["normal", "triangular"]
    low: float
    high: float
    said_by: Kind
    range_from: str = ""  # whose range that is, in words; an older version's is its `said_by`
    first_win_at_low: float | None = None  # lowest winning volume with this one at its lowest alone; None: never
    first_win_at_high: float | None = None


class Narrowed(Result):
    """The share of the doubt that would go if one input were known exactly."""

    input: str
    doubt_removed: float


class MonteCarlo(Result):
    """Everything uncertain drawn at once, many times."""

    draws: int
    seed: int
    verdict_shares: VerdictShares
    probability_self_host_wins: float | None  # at the reader's volume; None: none was given
    infeasible_share: float
    saving_usd_per_month: Distribution | None  # likewise
    first_win_tasks_per_month: FirstWins | None = None  # None: an older version's
    varied: tuple[Varied, ...]
    narrow_first: tuple[Narrowed, ...]


class ProjectedMonth(Result):
    """One month ahead; `month` counts from 1."""

    month: int
    tasks: float
    instances: int
    self_usd: float
    api_usd: float
    summed_saving_usd: float


class Projection(Result):
    """A growing volume over the demand's horizon, and when what is paid once is paid back (None: not in it)."""

    growth_per_month: float
    one_off_usd: float
    payback_month: int | None
    payback_months_at_present_volume: float | None
    months: Annotated[tuple[ProjectedMonth, ...], Field(min_length=1)]
