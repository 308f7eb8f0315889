"""Searches in virtual time: the product's own moves on the engine of benchmarks/virtual_engine.py.

A probe is a step of the length that the search asks for, entered, held and judged as in benchmarks/coverage.py. The
right load is the highest whose own long run keeps the limit; it is *found* where the search ends between it and the
next one, or where it says that it is not sure and the run's interval holds the goodput of both.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.virtual_engine import Engine, Load, Requests, Work, serve
from harness.load.search.next_probe import next_probe
from harness.load.search.probes import Next, Probe, Standing, Stop, bracket, standings
from harness.metrics.goodput import JudgedStep, RunGoodput, goodput_of
from harness.metrics.pooled import ERRORS, rate_together
from harness.metrics.rate import Rate, Served, rate_of, shares
from harness.metrics.saturation import open_facts, usual_s
from harness.metrics.slo import LimitSample, Nearness, SloVerdict, judge, nearness
from harness.metrics.windows import Window
from harness.scenario import Limit
from harness.scenario.load import SearchLoad

STEADY, SLOW, WORK = Engine(), Engine(drift=0.06, drift_s=20), Work()
ERROR_RATE = 0.01
LONG_S = 50_000.0
USERS = SearchLoad(kind="search", over="users", low=1, high=64, resolution=0.05)
RATES = USERS.model_copy(update={"over": "requests_per_s"})


@dataclass(frozen=True, slots=True)
class SearchCase:
    """A search on an engine under a limit, its right answer, and at most how many loads it may take in the median."""

    name: str
    limit: Limit
    right: float  # the highest load whose long run keeps the limit; 0: even the lowest breaks it
    most_loads: int
    search: SearchLoad = USERS
    engine: Engine = STEADY
    least: float = 0.93  # of the runs: their interval holds the goodput
    least_found: float = 0.9

    @property
    def wrong(self) -> float:
        """The next load above the right one."""
        return self.right + 1 if self.search.over == "users" else self.right

    def load(self, size: float) -> Load:
        """The load of a probe."""
        if self.search.over == "requests_per_s":
            return Load(requests_per_s=size)
        running = min(size, self.engine.slots or size)
        return Load(
            users=int(size), enter_s=WORK.output_tokens * (self.engine.iteration_s + self.engine.running_s * running)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """How one search went."""

    history: tuple[Probe, ...]
    stop: Stop
    goodput: RunGoodput | None

    @property
    def loads(self) -> int:
        """Different loads that were tried."""
        return len({probe.load for probe in self.history})

    @property
    def ends(self) -> tuple[Standing | None, Standing | None]:
        """The pass and the fail that it ended at."""
        return bracket(standings(self.history))


def _with(search: SearchLoad, **changed: float) -> SearchLoad:
    return search.model_copy(update=changed)


def tpot(seconds: float) -> Limit:
    """A limit on the p95 of the time per token."""
    return Limit("tpot", "p95", seconds)


TTFT = Limit("ttft", "p95", 0.1)
SEARCHES = (
    SearchCase("search, 20 users", tpot(0.026), 20, 7),
    SearchCase("search, 1 user", tpot(0.0131), 1, 7),
    SearchCase("search, 3 users", tpot(0.01446), 3, 7),
    SearchCase("search, 9 users", tpot(0.01857), 9, 7),
    SearchCase("search, 33 users", tpot(0.0348), 33, 7),
    SearchCase("search, 50 users", tpot(0.0462), 50, 7),
    SearchCase("search, 64 users pass", tpot(0.06), 64, 4),
    SearchCase("search, 1 user fails", tpot(0.0125), 0, 1),
    SearchCase("search, from 32 down to 20", tpot(0.026), 20, 7, _with(USERS, low=32)),
    SearchCase("search, 20 slots", TTFT, 20, 9, engine=Engine(slots=20)),
    SearchCase("search, 33 slots", TTFT, 33, 10, engine=Engine(slots=33)),
    SearchCase("search, rate", tpot(0.026), 9.49, 9, _with(RATES, step_s=60)),
    SearchCase("search, rate, 20 slots", TTFT, 9.13, 11, _with(RATES, step_s=120), Engine(slots=20)),
    SearchCase("search, drift, probes of 120 s", tpot(0.0268), 18, 8, _with(USERS, step_s=120), SLOW, 0.9, 0.8),
    # what probes as short as the drift's memory come to: two that agree may both have met a good minute
    SearchCase("search, drift, probes of 30 s", tpot(0.0268), 18, 8, USERS, SLOW, 0.65, 0.5),
)


def run_search(case: SearchCase, seed: tuple[int, ...]) -> Found:
    """One search to its end."""
    history: list[Probe] = []
    steps: list[JudgedStep] = []
    while isinstance(move := next_probe(case.search, [case.limit], history), Next):
        probe, step = _probe(case, move, (*seed, len(history)))
        history.append(probe)
        steps.append(step)
    return Found(tuple(history), move, goodput_of(pooled(history, steps)))


def pooled(history: Sequence[Probe], steps: Sequence[JudgedStep]) -> list[JudgedStep]:
    """The steps of one load as one: its verdict is that of all its probes, its rate that of all."""
    out = []
    for one in standings(history):
        own = [step for step in steps if step.load == one.load]
        rate = rate_together([step.rate for step in own])
        out.append(JudgedStep(own[-1].step, one.load, rate, SloVerdict(one.verdict, one.met)))
    return out


def is_found(case: SearchCase, found: Found, goodputs: Sequence[float]) -> bool:
    """Whether the search ended at the right load, or said that it is not sure and has both goodputs in its interval."""
    best, fail = found.ends
    passes, fails = (0.0 if best is None else best.load), (math.inf if fail is None else fail.load)
    if passes <= case.right and fails >= case.wrong:
        return True
    return found.stop.sure is False and all(holds(found.goodput, per_s) for per_s in goodputs)


def holds(goodput: RunGoodput | None, per_s: float) -> bool:
    """Whether a run's interval holds a goodput; where nothing passes, whether it is none."""
    if goodput is None:
        return per_s == 0
    return (goodput.low or 0.0) <= per_s <= (math.inf if goodput.high is None else goodput.high)


@dataclass(frozen=True, slots=True)
class SearchRow:
    """A line of the table."""

    case: SearchCase
    found: float  # shares of the runs
    held: float
    sure: float
    loads: float  # medians
    probes: float
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether the case is as it must be."""
        case = self.case
        return self.held >= case.least and self.found >= case.least_found and self.loads <= case.most_loads

    def line(self) -> str:
        """As printed."""
        return (
            f"{self.case.name:32s} {self.held:7.1%} {self.case.least:6.0%} {self.found:7.1%} {self.sure:7.1%} "
            f"{self.loads:6.1f} {self.probes:7.1f} {self.seconds:7.0f}{'' if self.is_good else '  MISSED'}"
        )


SEARCH_HEAD = (
    f"{'search':32s} {'held':>7s} {'least':>6s} {'found':>7s} {'sure':>7s} {'loads':>6s} {'probes':>7s} {'seconds':>7s}"
)


def search_row(case: SearchCase, runs: int, seed: int, long_s: float = LONG_S) -> SearchRow:
    """`held`: the run's interval holds the goodput of the right load."""
    goodputs = _goodputs(case, long_s)
    found = [run_search(case, (seed, run)) for run in range(runs)]
    return SearchRow(
        case,
        found=sum(is_found(case, one, goodputs) for one in found) / runs,
        held=sum(holds(one.goodput, goodputs[0]) for one in found) / runs,
        sure=sum(one.stop.sure is True for one in found) / runs,
        loads=float(np.median([one.loads for one in found])),
        probes=float(np.median([len(one.history) for one in found])),
        seconds=float(np.median([sum(probe.seconds for probe in one.history) for one in found])),
    )


def _goodputs(case: SearchCase, long_s: float) -> list[float]:
    """Of the right load and the next one; the long runs must say so, too."""
    sizes = sorted({case.right, case.wrong} - {0.0})
    truths = [truth(case, size, long_s) for size in sizes]
    is_edge = case.search.over == "requests_per_s"
    for size, (_, ratio) in zip(sizes, truths, strict=True):
        if not is_edge and size <= case.search.high and (ratio <= 1) != (size <= case.right):
            sys.exit(f"{case.name}: the long run of {size:g} is at {ratio:.3f} of the limit")
    return [0.0] if not case.right else [per_s for per_s, _ in truths]


def truth(case: SearchCase, size: float, long_s: float) -> tuple[float, float]:
    """Goodput of a long run, and its percentile as a share of the limit."""
    requests = serve(case.engine, WORK, case.load(size), long_s, (7,))
    window = Window(long_s / 50, long_s)
    latency_s = _latency_s(case, requests)
    counted = window.holds(requests.sent_s) & ~np.isnan(latency_s)
    good = ~(latency_s > case.limit.seconds) & ~np.isnan(requests.finished_s)
    per_s = float(shares(requests.sent_s[good], requests.finished_s[good], window).sum()) / window.length_s
    percentile = float(np.percentile(latency_s[counted], int(case.limit.percentile[1:])))
    return per_s, percentile / case.limit.seconds


def _probe(case: SearchCase, move: Next, seed: tuple[int, ...]) -> tuple[Probe, JudgedStep]:
    requests = serve(case.engine, WORK, case.load(move.load), move.length_s, seed)
    window = Window(case.search.warmup_s, move.length_s)
    counted = window.holds(requests.sent_s)
    latency_s = _latency_s(case, requests)
    known_s = latency_s[counted & ~np.isnan(latency_s)]
    sample = LimitSample(int(case.limit.percentile[1:]), case.limit.seconds, known_s)
    asked = int(counted.sum())
    slo = judge(asked, 0, [sample], ERROR_RATE)
    grows = _grows(case, requests, window)
    if grows:
        slo = SloVerdict("no", False)
    all_rate, rate = _rate(case, requests, window, None), _rate(case, requests, window, latency_s)
    near = nearness(sample, 0)
    if not grows and slo.met is not None:
        slo = SloVerdict(near.verdict(met=slo.met), slo.met)
    limits = {case.limit.key: near, ERRORS: Nearness(100 * (1 - ERROR_RATE), asked, 0)}
    return Probe(
        load=move.load, passed=slo.met, length_s=move.length_s, seconds=move.length_s, requests=asked,
        requests_per_s=all_rate.per_s, goodput_low=rate.low, over_saturated=grows, verdict=slo.verdict,
        goodput_per_s=rate.per_s, goodput_high=rate.high, limits=limits,
    ), JudgedStep(0, move.load, rate, slo)  # fmt: skip


def _rate(case: SearchCase, requests: Requests, window: Window, latency_s: np.ndarray | None) -> Rate:
    good = ~np.isnan(requests.finished_s)
    if latency_s is not None:
        good &= ~(latency_s > case.limit.seconds)
    columns = (requests.sent_s, requests.finished_s, requests.prompt_tokens, requests.output_tokens)
    is_open = case.search.over == "requests_per_s"
    return rate_of(Served(*(column[good] for column in columns)), window, busy=0.0 if is_open else 1.0)


def _grows(case: SearchCase, requests: Requests, window: Window) -> bool:
    if case.search.over == "users":
        return False
    e2e_s = requests.finished_s - requests.sent_s
    span = (window.start_s, window.end_s)
    unknown_s = np.full(len(e2e_s), np.nan)
    unloaded_s = usual_s(unknown_s, unknown_s, e2e_s, requests.output_tokens)
    return bool(open_facts(requests.sent_s, requests.sent_s, requests.finished_s, unloaded_s, span).over_saturated)


def _latency_s(case: SearchCase, requests: Requests) -> np.ndarray:
    if case.limit.latency == "ttft":
        return requests.first_s - requests.sent_s
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_s = (requests.finished_s - requests.first_s) / (requests.output_tokens - 1)
    return np.where(requests.output_tokens > 1, spread_s, np.nan)
