"""How sure the verdict is: everything uncertain drawn together many times, each input from its range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from harness.cost.breakeven.decision import comes_and_goes
from harness.cost.breakeven.vector import NEVER, WINDOW, YES, Array, Case, Outcome, case_of, evaluate, first_wins
from harness.cost.whatif.knobs import Knob, knobs
from harness.cost.whatif.ranges import DEMAND, Range
from harness.rundir.decide import DecideInput
from harness.rundir.whatif import Distribution, FirstWins, MonteCarlo, Narrowed, Varied, VerdictShares

DRAWS = 10_000
WALKED_DRAWS = 1_000
BINS = 20
QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)


DRAWN = (
    "goodput_requests_per_s",
    "people_usd_per_month",
    "tasks_per_month",
    "peak_to_mean",
    "api_price",
    "retry_failure_rate",
    "usd_per_hour",
)
"""Inputs that nobody knows exactly: drawn in an assumed range where no other is known. What is a plan (load limit,
response cache) or decides the goodput too (the mix) is drawn where the demand gives its range."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One uncertain input and the range it is drawn from."""

    knob: Knob
    over: Range

    def draw(self, random: np.random.Generator, n: int) -> Array:
        """n values: normal with the ends as its interval, or a triangle between them (mode: the present)."""
        low, high = self.over.low, self.over.high
        if self.over.confidence is not None:
            z = NormalDist().inv_cdf(0.5 + self.over.confidence / 2)
            drawn = random.normal(self.knob.value, (high - low) / (2 * z), n)
        else:
            drawn = random.triangular(low, min(max(self.knob.value, low), high), high, n)
        return np.clip(drawn, self.knob.lowest, self.knob.highest)

    def varied(self, case: Case) -> Varied:
        """As decision.json has it, and what it does alone."""
        ends = first_wins(self.knob.set(case, np.array([self.over.low, self.over.high])))
        at_low, at_high = (float(end) if np.isfinite(end) else None for end in ends)
        return Varied(
            input=self.knob.name,
            unit=self.knob.unit,
            value=self.knob.value,
            drawn="triangular" if self.over.confidence is None else "normal",
            low=self.over.low,
            high=self.over.high,
            said_by=self.over.said_by,
            range_from=self.over.whose,
            first_win_at_low=at_low,
            first_win_at_high=at_high,
        )


def spreads(inputs: DecideInput, people_usd: float, ranges: Mapping[str, Range]) -> list[Spread]:
    """What is uncertain: the inputs of `DRAWN`, in assumed ranges too, and whatever else the demand gives a range."""
    return [
        Spread(_as_drawn(knob, inputs), over)
        for knob in knobs(inputs, people_usd)
        if (over := ranges[knob.name]).low < over.high and (knob.name in DRAWN or over.whose == DEMAND)
        if knob.name != "tasks_per_month" or inputs.workload.tasks_per_month is not None
    ]


def _as_drawn(knob: Knob, inputs: DecideInput) -> Knob:
    """Where no call fails and none is asked again, what a draw lets fail is asked again until it succeeds: who says 0
    of both has not said that failed tasks stay undone."""
    if knob.name != "retry_failure_rate" or knob.value or inputs.workload.max_retries:
        return knob
    return replace(knob, set=lambda case, v: case.but(retry_failure_rate=v, ways=case.ways.until_success()))


def simulate(inputs: DecideInput, uncertain: Sequence[Spread], *, seed: int = 1) -> MonteCarlo | None:
    """Shares of each verdict, where self-hosting first wins, the monthly saving where there is a volume, and which
    input to pin down first.

    None without a goodput, and when nothing is uncertain: then the decision itself is all there is to say.
    """
    if not uncertain or not inputs.self_host.goodput_requests_per_s:
        return None
    random, tasks = np.random.default_rng(seed), inputs.workload.tasks_per_month
    drawn = {spread.knob.name: spread.draw(random, DRAWS) for spread in uncertain}
    now = case_of(inputs, tasks or 0.0)
    out = evaluate(_drawn(now, uncertain, drawn))
    # hours of their own make a long walk of each
    first = first_wins(_drawn(now, uncertain, drawn, WALKED_DRAWS if comes_and_goes(inputs.self_host) else DRAWS))
    never, window, yes = (float(np.mean(out.verdict == code)) for code in (NEVER, WINDOW, YES))
    return MonteCarlo(
        draws=DRAWS,
        seed=seed,
        verdict_shares=VerdictShares(never=never, window=window, yes=yes),
        probability_self_host_wins=None if tasks is None else float(np.mean(out.self_host_wins)),
        infeasible_share=float(np.mean(out.capacity <= 0)),
        saving_usd_per_month=None if tasks is None else _distribution(out.saving_usd[np.isfinite(out.saving_usd)]),
        first_win_tasks_per_month=_first_wins(first),
        varied=tuple(spread.varied(now) for spread in uncertain),
        narrow_first=_narrow_first(uncertain, drawn, _ranks(first) if tasks is None else _answer(out)),
    )


def _drawn(case: Case, uncertain: Sequence[Spread], drawn: Mapping[str, Array], n: int = DRAWS) -> Case:
    """The case with the first `n` draws of each input."""
    for spread in uncertain:
        case = spread.knob.set(case, drawn[spread.knob.name][:n])
    return case


def _first_wins(first: Array) -> FirstWins:
    ends = np.quantile(first, QUANTILES, method="inverted_cdf")  # no mean of a volume and of none
    p05, p25, p50, p75, p95 = (float(end) if np.isfinite(end) else None for end in ends)
    return FirstWins(p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)


def _ranks(first: Array) -> Array:
    """Draws in the order of their first winning volume, those that never win last and alike."""
    return np.searchsorted(np.sort(first), first).astype(np.float64)


def _answer(out: Outcome) -> Array:
    """Who wins where the draws disagree about it, else the saving."""
    wins = out.self_host_wins.astype(np.float64)
    return wins if 0 < wins.mean() < 1 else np.where(np.isfinite(out.saving_usd), out.saving_usd, 0.0)


def _distribution(saving: Array) -> Distribution | None:
    if saving.size == 0:
        return None
    p05, p25, p50, p75, p95 = map(float, np.quantile(saving, QUANTILES))
    return Distribution(mean=float(saving.mean()), p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)


def _narrow_first(uncertain: Sequence[Spread], drawn: Mapping[str, Array], y: Array) -> tuple[Narrowed, ...]:
    """How much of the doubt would go if one input were known exactly, on average; most first.

    Var(E[Y|X]) / Var(Y) over BINS equal parts of X. The shares need not sum to 1: inputs can matter together.
    """
    total = float(np.var(y))
    if total <= 1e-18 * float(np.mean(y)) ** 2:  # every draw gives the same: nothing to narrow
        total = 0.0
    rows = []
    for spread in uncertain:
        parts = np.array_split(y[np.argsort(drawn[spread.knob.name][: y.size], kind="stable")], BINS)
        known = float(np.var([part.mean() for part in parts]))
        share = max(0.0, known - total * BINS / y.size) / total if total > 0 else 0.0  # less the bins' own noise
        rows.append(Narrowed(input=spread.knob.name, doubt_removed=share))
    return tuple(sorted(rows, key=lambda row: row.doubt_removed, reverse=True))
