"""How often the intervals hold the truth: engines simulated in virtual time, through the real analysis.

    python benchmarks/coverage.py [--runs 1000] [--case NAME]

A step: users enter spread over one request's time, warm-up, a window of 50 s, and the load held until all that was
sent in it has ended. The truth is the same engine's rate over a long run, its drift averaged. `ideal` is 1.96 standard
deviations of the estimate itself over the runs: an interval from somebody who knows its variance. `drifts`: runs
that name a drift the window is too short for. A run: such steps of
2, 4, 8, 16 and 24 users under a limit on TPOT p95; the right step is the highest whose own long run keeps it.
Searches (benchmarks/coverage_search.py) stand below: `found` the right load, `loads` and `probes` in the median.
Exit code 1 where a case misses its least coverage, or is wider than 1.5 times an ideal of 1 % or more, or where a
search finds the right load too seldom or takes too many.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.coverage_live import main as live
from benchmarks.coverage_search import SEARCH_HEAD, SEARCHES, search_row
from benchmarks.virtual_engine import Engine, Load, Requests, Work, serve
from harness.metrics.goodput import JudgedStep, RunGoodput, goodput_of
from harness.metrics.rate import Rate, Served, busy_share, rate_of, shares
from harness.metrics.slo import LimitSample, SloVerdict, judge
from harness.metrics.steady import settle
from harness.metrics.windows import Window

RUNS = 1000
SEED = 7  # not one that the method was chosen with
WINDOW_S = 50.0
WARMUP_S = 10.0
LONG_S = 50_000.0
MOST_RATIO = 1.5
FROM_IDEAL = 0.01
LADDER = (2, 4, 8, 16, 24)


STEADY, SLOW, SLOWER = Engine(), Engine(drift=0.06, drift_s=20), Engine(drift=0.12, drift_s=30)
SHORT_WORK = Work()  # a request takes a second
LONG_WORK = Work(output_tokens=340)  # a request takes an eighth of the window
LONG_EQUAL = Work("equal", 340)


@dataclass(frozen=True, slots=True)
class StepCase:
    """One load on one engine, and how often its interval must hold the truth at least."""

    name: str
    least: float
    engine: Engine = STEADY
    work: Work = SHORT_WORK
    users: int = 8
    requests_per_s: float = 0.0

    def load(self) -> Load:
        """The load; users enter over the time of one request."""
        if not self.users:
            return Load(requests_per_s=self.requests_per_s)
        one_s = self.engine.iteration_s + self.engine.running_s * self.users
        return Load(users=self.users, enter_s=self.work.output_tokens * one_s)


@dataclass(frozen=True, slots=True)
class LadderCase:
    """A run of steps under a limit on TPOT p95, and which of them is the right one."""

    name: str
    least: float
    work: Work
    tpot_p95_s: float
    right: int
    engine: Engine = STEADY

    def step(self, users: int) -> StepCase:
        """One of its steps."""
        return StepCase(self.name, self.least, self.engine, self.work, users)


STEPS = (
    StepCase("equal", 0.93, work=Work("equal")),
    StepCase("varied", 0.93),
    StepCase("heavy-tailed", 0.93, work=Work("heavy")),
    StepCase("equal, long", 0.93, work=LONG_EQUAL),
    StepCase("varied, long", 0.93, work=LONG_WORK),
    StepCase("varied, 24 users", 0.93, users=24),
    StepCase("slow start", 0.93, engine=Engine(slow_start=0.5)),
    StepCase("open", 0.93, users=0, requests_per_s=4.0),
    StepCase("open, heavy-tailed", 0.93, work=Work("heavy"), users=0, requests_per_s=4.0),
    StepCase("equal, drift 6 %, 20 s", 0.90, SLOW, Work("equal")),
    StepCase("varied, drift 6 %, 20 s", 0.90, SLOW),
    StepCase("heavy-tailed, drift 6 %, 20 s", 0.90, SLOW, Work("heavy")),
    StepCase("equal, long, drift 6 %, 20 s", 0.90, SLOW, LONG_EQUAL),
    StepCase("varied, long, drift 6 %, 20 s", 0.90, SLOW, LONG_WORK),
    StepCase("equal, drift 12 %, 30 s", 0.85, SLOWER, Work("equal")),
    StepCase("varied, drift 12 %, 30 s", 0.85, SLOWER),
    StepCase("heavy-tailed, drift 12 %, 30 s", 0.85, SLOWER, Work("heavy")),
    StepCase("equal, long, drift 12 %, 30 s", 0.85, SLOWER, LONG_EQUAL),
    StepCase("varied, long, drift 12 %, 30 s", 0.85, SLOWER, LONG_WORK),
)
LADDERS = (
    LadderCase("ladder", 0.93, SHORT_WORK, 0.0255, 16),
    LadderCase("ladder, long", 0.93, LONG_WORK, 0.0245, 16),
    LadderCase("ladder, long and equal", 0.93, LONG_EQUAL, 0.0245, 16),
    LadderCase("ladder, limit just kept", 0.93, SHORT_WORK, 0.0231, 16),
    LadderCase("ladder, limit just broken", 0.93, SHORT_WORK, 0.0229, 8),
    LadderCase("ladder, drift 6 %, 20 s", 0.90, SHORT_WORK, 0.0265, 16, SLOW),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table; shares of the runs, half widths relative to the rate."""

    name: str
    least: float
    held: float
    half: float
    ideal: float
    right: float | None = None
    named: float | None = None  # runs that name a drift

    @property
    def is_good(self) -> bool:
        """Whether the case is as it must be."""
        too_wide = self.ideal >= FROM_IDEAL and self.half > MOST_RATIO * self.ideal
        return self.held >= self.least and not (too_wide and self.right is None)

    def line(self) -> str:
        """As printed."""
        right = "" if self.right is None else f"{self.right:6.1%}"
        named = "" if self.named is None else f"{self.named:6.1%}"
        mark = "" if self.is_good else "  MISSED"
        return (
            f"{self.name:32s} {self.held:7.1%} {self.least:6.0%} {right:>7s} {100 * self.half:7.2f} "
            f"{100 * self.ideal:7.2f} {self.half / self.ideal:6.2f} {named:>7s}{mark}"
        )


HEAD = (
    f"{'case':32s} {'held':>7s} {'least':>6s} {'right':>7s} {'half %':>7s} {'ideal':>7s} {'ratio':>6s} {'drifts':>7s}"
)


def served(requests: Requests, which: np.ndarray) -> Served:
    return Served(
        requests.sent_s[which], requests.finished_s[which], requests.prompt_tokens[which], requests.output_tokens[which]
    )


def tpot_s(requests: Requests) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        spread_s = (requests.finished_s - requests.first_s) / (requests.output_tokens - 1)
    return np.where(requests.output_tokens > 1, spread_s, np.nan)


def good_ones(requests: Requests, tpot_limit_s: float | None) -> np.ndarray:
    """Which ended within the limit."""
    ended = ~np.isnan(requests.finished_s)
    return ended if tpot_limit_s is None else ended & ~(tpot_s(requests) > tpot_limit_s)


def measured(case: StepCase, seed: tuple[int, ...], tpot_limit_s: float | None) -> tuple[Rate, SloVerdict]:
    """One step, as a run of the product would judge it."""
    end_s = WARMUP_S + WINDOW_S
    requests = serve(case.engine, case.work, case.load(), end_s, seed)
    planned = (requests.sent_s >= WARMUP_S) & (requests.sent_s < end_s)
    e2e_s = requests.finished_s - requests.sent_s
    start_s, _ = settle(requests.sent_s[planned], e2e_s[planned], requests.output_tokens[planned], WARMUP_S)
    window = Window(start_s, end_s)
    busy = busy_share(requests.sent_s, requests.finished_s, window, case.users) if case.users else 0.0
    rate = rate_of(served(requests, good_ones(requests, tpot_limit_s)), window, busy=busy)
    if tpot_limit_s is None:
        return rate, SloVerdict("yes", True)
    counted = window.holds(requests.sent_s)
    known_s = tpot_s(requests)[counted]
    sample = LimitSample(95, tpot_limit_s, known_s[~np.isnan(known_s)])
    return rate, judge(int(counted.sum()), 0, [sample], 0.01)


def truth(case: StepCase, tpot_limit_s: float | None, long_s: float) -> tuple[float, bool]:
    """The rate of the long run, and whether that keeps the limit."""
    requests = serve(case.engine, case.work, case.load(), long_s, (SEED,))
    window = Window(long_s / 50, long_s)
    good = served(requests, good_ones(requests, tpot_limit_s))
    per_s = float(shares(good.sent_s, good.finished_s, window).sum()) / window.length_s
    return per_s, tpot_limit_s is None or float(np.nanpercentile(tpot_s(requests), 95)) <= tpot_limit_s


def step_row(case: StepCase, runs: int, long_s: float = LONG_S) -> Row:
    """`held`: the step's interval holds the long run's rate."""
    per_s, _ = truth(case, None, long_s)
    rates = [measured(case, (SEED, run), None)[0] for run in range(runs)]
    named = sum(rate.drift is not None for rate in rates) / runs
    return _row(case.name, case.least, per_s, rates, None, named)


def ladder_row(case: LadderCase, runs: int, long_s: float = LONG_S) -> Row:
    """`held`: the run's interval holds the true goodput of the right step."""
    truths = {users: truth(case.step(users), case.tpot_p95_s, long_s) for users in LADDER}
    keeping = max(users for users in LADDER if truths[users][1])
    if keeping != case.right:
        sys.exit(f"{case.name}: the long runs say {keeping} users, not {case.right}")
    found = [run_ladder(case, run) for run in range(runs)]
    right = sum(one is not None and one.step == LADDER.index(keeping) for one in found) / runs
    intervals = [Rate(0.0) if one is None or one.per_s is None else Rate(one.per_s, one.low, one.high) for one in found]
    return _row(case.name, case.least, truths[keeping][0], intervals, right, None)


def run_ladder(case: LadderCase, run: int) -> RunGoodput | None:
    """The goodput of one run over all steps."""
    steps = []
    for number, users in enumerate(LADDER):
        rate, slo = measured(case.step(users), (SEED, run, number), case.tpot_p95_s)
        steps.append(JudgedStep(number, users, rate, slo))
    return goodput_of(steps)


def _row(name: str, least: float, per_s: float, rates: list[Rate], right: float | None, named: float | None) -> Row:
    points = np.array([rate.per_s for rate in rates])
    low = np.array([-np.inf if rate.low is None else rate.low for rate in rates])
    high = np.array([np.inf if rate.high is None else rate.high for rate in rates])
    held = float(((low <= per_s) & (per_s <= high)).mean())
    half = float(np.median((high - low) / 2)) / per_s
    return Row(name, least, held, half, 1.96 * float(points.std(ddof=1)) / per_s, right, named)


def main() -> int:
    """Print the table; exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="runs a case (1000)")
    parser.add_argument("--case", help="only the cases whose name begins so")
    parser.add_argument("--live", action="store_true", help="ten ladders of a live server instead (45 minutes)")
    options = parser.parse_args()
    if options.live:
        return live()
    began_s = time.perf_counter()
    wanted = options.case or ""
    are_good = []
    print(HEAD)
    for case in (*STEPS, *LADDERS):
        if case.name.startswith(wanted):
            row = step_row(case, options.runs) if isinstance(case, StepCase) else ladder_row(case, options.runs)
            are_good.append(row.is_good)
            print(row.line(), flush=True)
    print(f"\n{SEARCH_HEAD}")
    for search in SEARCHES:
        if search.name.startswith(wanted):
            found = search_row(search, options.runs, SEED)
            are_good.append(found.is_good)
            print(found.line(), flush=True)
    print(f"{options.runs} runs a case, {time.perf_counter() - began_s:.0f} s")
    return int(not all(are_good))


if __name__ == "__main__":
    sys.exit(main())
