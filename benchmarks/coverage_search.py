"""Searches in virtual time: the product's own moves on the engine of benchmarks/virtual_engine.py.

A probe is a step of the length that the search asks for, entered, held and judged as in benchmarks/coverage.py. The
right load is the highest whose own long run keeps the limit; it is *found* where the search ends between it and the
next one, or where it says that it is not sure and the run's interval holds the goodput of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.virtual_engine import Engine, Load, Requests, Work, serve
from harness.load.search.next_probe import next_probe
from harness.load.search.probes import ERRORS, Next, Probe, Standing, Stop, bracket, standings
from harness.metrics.goodput import JudgedStep, RunGoodput, goodput_of
from harness.metrics.rate import Rate, Served, busy_share, rate_of, shares
from harness.metrics.saturation import open_facts
from harness.metrics.slo import LimitSample, Nearness, SloVerdict, Verdict, judge, nearness
from harness.metrics.windows import Window
from harness.scenario import Limit
from harness.scenario.load import SearchLoad

ERROR_RATE = 0.01
MOST_PROBES = 20


@dataclass(frozen=True, slots=True)
class SearchCase:
    """A search on an engine under a limit, its right answer, and at most how many loads it may take in the median."""

    name: str
    limit: Limit
    right: float  # the long run keeps the limit here ...
    wrong: float  # ... and breaks it here
    most_loads: int
    search: SearchLoad
    engine: Engine = Engine()
    work: Work = Work()

    def load(self, size: float) -> Load:
        """The load of a probe."""
        if self.search.over == "requests_per_s":
            return Load(requests_per_s=size)
        running = min(size, self.engine.slots or size)
        return Load(
            users=int(size), enter_s=self.work.output_tokens * (self.engine.iteration_s + self.engine.running_s * running)
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
    """The steps of one load as one: its verdict is that of all its probes, its rate that of the longest."""
    out = []
    for one in standings(history):
        longest = max((n for n, p in enumerate(history) if p.load == one.load), key=lambda n: history[n].length_s)
        out.append(JudgedStep(longest, one.load, steps[longest].rate, SloVerdict(one.verdict, one.met)))
    return out


def is_found(case: SearchCase, found: Found, truths: tuple[float, float]) -> bool:
    """Whether the search ended at the right load, or said that it is not sure and holds both in its interval."""
    best, fail = found.ends
    if best is not None and fail is not None and best.load <= case.right and fail.load >= case.wrong:
        return True
    low, high = (found.goodput.low, found.goodput.high) if found.goodput is not None else (None, None)
    inside = all((low is None or low <= per_s) and (high is None or per_s <= high) for per_s in truths)
    return found.stop.sure is False and found.goodput is not None and inside


def truth(case: SearchCase, size: float, long_s: float) -> tuple[float, float]:
    """Goodput and the limit's percentile over the limit, of a long run."""
    requests = serve(case.engine, case.work, case.load(size), long_s, (7,))
    window = Window(long_s / 50, long_s)
    latency_s = _latency_s(case, requests)
    counted = window.holds(requests.sent_s) & ~np.isnan(latency_s)
    good = ~(latency_s > case.limit.seconds) & ~np.isnan(requests.finished_s)
    per_s = float(shares(requests.sent_s[good], requests.finished_s[good], window).sum()) / window.length_s
    percentile = float(np.percentile(latency_s[counted], int(case.limit.percentile[1:])))
    return per_s, percentile / case.limit.seconds


def _probe(case: SearchCase, move: Next, seed: tuple[int, ...]) -> tuple[Probe, JudgedStep]:
    requests = serve(case.engine, case.work, case.load(move.load), move.length_s, seed)
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
    limits = {case.limit.key: nearness(sample, 0), ERRORS: Nearness(100 * (1 - ERROR_RATE), asked, 0)}
    return Probe(
        load=move.load, passed=slo.met, length_s=move.length_s, seconds=move.length_s, requests=asked,
        requests_per_s=all_rate.per_s, goodput_low=rate.low, over_saturated=grows, verdict=slo.verdict,
        goodput_per_s=rate.per_s, goodput_high=rate.high, limits=limits,
    ), JudgedStep(0, move.load, rate, slo)  # fmt: skip


def _rate(case: SearchCase, requests: Requests, window: Window, latency_s: np.ndarray | None) -> Rate:
    good = ~np.isnan(requests.finished_s)
    if latency_s is not None:
        good &= ~(latency_s > case.limit.seconds)
    is_open = case.search.over == "requests_per_s"
    return rate_of(
        Served(requests.sent_s[good], requests.finished_s[good], requests.prompt_tokens[good], requests.output_tokens[good]),
        window, busy=0.0 if is_open else 1.0,
    )


def _grows(case: SearchCase, requests: Requests, window: Window) -> bool:
    if case.search.over == "users":
        return False
    e2e_s = requests.finished_s - requests.sent_s
    span = (window.start_s, window.end_s)
    return bool(open_facts(requests.sent_s, requests.sent_s, requests.finished_s, span, e2e_s).over_saturated)


def _latency_s(case: SearchCase, requests: Requests) -> np.ndarray:
    if case.limit.latency == "ttft":
        return requests.first_s - requests.sent_s
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_s = (requests.finished_s - requests.first_s) / (requests.output_tokens - 1)
    return np.where(requests.output_tokens > 1, spread_s, np.nan)
