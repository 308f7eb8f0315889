"""How sure the verdict is: the measured interval and every stated range, drawn together many times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.cost.breakeven.vector import NEVER, WINDOW, YES, Array, Outcome, case_of, evaluate
from harness.cost.whatif.knobs import Knob, knobs
from harness.rundir.decide import DecideInput
from harness.rundir.result import Kind
from harness.rundir.whatif import Distribution, MonteCarlo, Narrowed, Varied, VerdictShares

DRAWS = 10_000
BINS = 20
QUANTILES = (0.05, 0.25, 0.50, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Spread:
    """One uncertain input: how it is drawn, between which values, and who says so."""

    knob: Knob
    low: float
    high: float
    said_by: Kind
    confidence: float | None = None  # of the interval of a normal distribution; None: a triangle

    def draw(self, random: np.random.Generator, n: int) -> Array:
        """n values: normal with the ends as its interval, or a triangle between them (mode: the present)."""
        if self.confidence is not None:
            z = NormalDist().inv_cdf(0.5 + self.confidence / 2)
            drawn = random.normal(self.knob.value, (self.high - self.low) / (2 * z), n)
        else:
            mode = min(max(self.knob.value, self.low), self.high)
            drawn = random.triangular(self.low, mode, self.high, n)
        return np.clip(drawn, self.knob.lowest, self.knob.highest)

    def varied(self) -> Varied:
        """As decision.json has it."""
        return Varied(
            input=self.knob.name,
            unit=self.knob.unit,
            value=self.knob.value,
            drawn="triangular" if self.confidence is None else "normal",
            low=self.low,
            high=self.high,
            said_by=self.said_by,
        )


def spreads(
    inputs: DecideInput,
    *,
    people_usd: float,
    ranges: Mapping[str, tuple[float, float]],
    spot_range: tuple[float, float] | None,
    confidence: float | None,
) -> list[Spread]:
    """What is uncertain: the goodput's interval (`confidence` None: there is no goodput), a spot price's listed range,
    the demand's own ranges."""
    by_name = {knob.name: knob for knob in knobs(inputs, people_usd)}
    found = {
        name: Spread(by_name[name], low, high, "assumed")
        for name, (low, high) in ranges.items()
        if name in by_name and low < high
    }
    box = inputs.self_host
    low, high = box.goodput_low, box.goodput_high
    if confidence is not None and low is not None and high is not None and low < high:
        knob = by_name["goodput_requests_per_s"]
        found[knob.name] = Spread(knob, low, high, "measured", confidence)
    if spot_range is not None and "usd_per_hour" not in found and spot_range[0] < spot_range[1]:
        found["usd_per_hour"] = Spread(by_name["usd_per_hour"], *spot_range, "listed")
    return list(found.values())


def simulate(inputs: DecideInput, uncertain: Sequence[Spread], *, seed: int = 1) -> MonteCarlo | None:
    """Shares of each verdict, the distribution of the monthly saving, and which input to pin down first.

    None without a volume, and when nothing is uncertain: then the decision itself is all there is to say.
    """
    tasks = inputs.workload.tasks_per_month
    if tasks is None or not uncertain or not inputs.self_host.goodput_requests_per_s:
        return None
    random = np.random.default_rng(seed)
    drawn = {spread.knob.name: spread.draw(random, DRAWS) for spread in uncertain}
    case = case_of(inputs, tasks)
    for spread in uncertain:
        case = spread.knob.set(case, drawn[spread.knob.name])
    out = evaluate(case)
    never, window, yes = (float(np.mean(out.verdict == code)) for code in (NEVER, WINDOW, YES))
    return MonteCarlo(
        draws=DRAWS,
        seed=seed,
        verdict_shares=VerdictShares(never=never, window=window, yes=yes),
        probability_self_host_wins=float(np.mean(out.self_host_wins)),
        infeasible_share=float(np.mean(out.capacity <= 0)),
        saving_usd_per_month=_distribution(out.saving_usd[np.isfinite(out.saving_usd)]),
        varied=tuple(spread.varied() for spread in uncertain),
        narrow_first=_narrow_first(uncertain, drawn, out),
    )


def _distribution(saving: Array) -> Distribution | None:
    if saving.size == 0:
        return None
    p05, p25, p50, p75, p95 = map(float, np.quantile(saving, QUANTILES))
    return Distribution(mean=float(saving.mean()), p05=p05, p25=p25, p50=p50, p75=p75, p95=p95)


def _narrow_first(uncertain: Sequence[Spread], drawn: Mapping[str, Array], out: Outcome) -> tuple[Narrowed, ...]:
    """How much of the doubt would go if one input were known exactly, on average; most first.

    Var(E[Y|X]) / Var(Y) over BINS equal parts of X: of who wins where the draws disagree about it, else of
    the saving. The shares need not sum to 1: inputs can matter together.
    """
    wins = out.self_host_wins.astype(np.float64)
    y = wins if 0 < wins.mean() < 1 else np.where(np.isfinite(out.saving_usd), out.saving_usd, 0.0)
    total = float(np.var(y))
    if total <= 1e-18 * float(np.mean(y)) ** 2:  # every draw saves the same: nothing to narrow
        total = 0.0
    rows = []
    for spread in uncertain:
        parts = np.array_split(y[np.argsort(drawn[spread.knob.name], kind="stable")], BINS)
        known = float(np.var([part.mean() for part in parts]))
        share = max(0.0, known - total * BINS / y.size) / total if total > 0 else 0.0  # less the bins' own noise
        rows.append(Narrowed(input=spread.knob.name, doubt_removed=share))
    return tuple(sorted(rows, key=lambda row: row.doubt_removed, reverse=True))
