"""A ladder through the real load engine against a live server that batches, whose own log is the truth.

Closed users 2, 4, 8, 16 and 24 whose requests take about an eighth of a step, a p95 limit on the time per token that 16
users keep and 24 break. The right step is 16 users; its truth is the tokens a second that the server's log has in that
step, over the mean length that is asked for. A run is right where it finds that step, or says that it is not sure and
holds both 16 users' rate and 24 users' none.
"""

from __future__ import annotations

import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from batching_server import BatchingServer, batching_server

from harness.load.prompts.texts import draw_length
from harness.metrics.steps import compute_metrics
from harness.pipeline.measure import measure
from harness.pipeline.options import RunOptions
from harness.rundir.files import read_manifest
from harness.rundir.read import read_records
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep, read_steps
from harness.scenario import LengthSpread, Scenario

USERS, RIGHT = (2, 4, 8, 16, 24), 3
STEP_S, WARMUP_S = 45.0, 5.0
TOKENS = 230
TPOT_P95_S = 0.024  # 21.6 ms a token at 16 users, 26.4 at 24
DRAWS = 100_000


@dataclass(frozen=True, slots=True)
class LiveRun:
    """One ladder."""

    metrics: Metrics
    truth_per_s: float
    late_ms: float  # how late the server itself was, p99
    after_to_inside: (
        float  # TPOT of the window's requests that ended behind it, to that of those inside: the worst step
    )

    @property
    def is_right(self) -> bool:
        """Whether the right step was found, or said not to be sure with its rate inside."""
        found = self.metrics.goodput
        if found is None:
            return False
        return found.step == RIGHT or (self.metrics.steps[RIGHT].verdict == "not_sure" and self.holds)

    @property
    def holds(self) -> bool:
        """Whether the run's interval holds the truth."""
        found = self.metrics.goodput
        if found is None:
            return False
        return (found.low or 0.0) <= self.truth_per_s <= (np.inf if found.high is None else found.high)


def scenario(
    *, seed: int, varied: bool, users: tuple[int, ...] = USERS, step_s: float = STEP_S, tokens: int = TOKENS
) -> Scenario:
    """The ladder; lengths are the same for all, or scatter by a quarter."""
    length = LengthSpread(mean=tokens, stdev=tokens / 4, min=20) if varied else tokens
    return Scenario.model_validate({
        "name": "live", "seed": seed,
        "load": {"kind": "closed", "users": list(users), "step_s": step_s, "warmup_s": min(WARMUP_S, step_s / 8)},
        "prompts": {"kind": "synthetic", "input_tokens": 30, "output_tokens": length},
        "request": {"timeout_s": 60}, "slo": {"tpot_p95_s": TPOT_P95_S},
    })  # fmt: skip


def live_run(directory: Path, work: Scenario) -> LiveRun:
    """Drive the ladder, and hold its figures against the server's log."""
    with batching_server(directory) as server:
        options = RunOptions(
            scenario=work, base_dir=directory, backend="openai", out_dir=directory / "runs", urls=[server.url]
        )
        measured = measure(options, lambda _: None)
    records, steps = read_records(measured.run_dir), read_steps(measured.run_dir)
    metrics = compute_metrics(records, steps, work)
    right = min(RIGHT, len(steps) - 1)
    return LiveRun(
        metrics,
        _truth_per_s(server, measured.run_dir, steps[right], work),
        1000 * float(np.percentile([one.sent_s - one.due_s for one in server.iterations()], 99)),
        max((_after_to_inside(records, step) for step in steps), key=lambda ratio: abs(ratio - 1)),
    )


def _truth_per_s(server: BatchingServer, run_dir: Path, step: RanStep, work: Scenario) -> float:
    zero_s = read_manifest(run_dir).started_monotonic_ns / 1e9
    assert step.end_s is not None
    begin_s, end_s = zero_s + step.window_start_s, zero_s + step.end_s
    tokens = sum(one.running for one in server.iterations() if begin_s <= one.due_s < end_s)
    length = work.prompts.output_tokens
    assert length is not None
    rng = random.Random(1)
    mean = float(length) if isinstance(length, int) else np.mean([draw_length(length, rng) for _ in range(DRAWS)])
    return tokens / (end_s - begin_s) / float(mean)


def _after_to_inside(records: pd.DataFrame, step: RanStep) -> float:
    due = records[(records["scheduled_s"] >= step.window_start_s) & (records["scheduled_s"] < step.end_s)]
    due = due[due["error"].isna() & (due["output_tokens"] > 1)]
    tpot_s = (due["finished_s"] - due["first_token_s"]) / (due["output_tokens"] - 1)
    after = due["finished_s"] > step.end_s
    if not after.any() or after.all():
        return 1.0
    return float(tpot_s[after].median() / tpot_s[~after].median())


def main(runs: int = 10) -> int:
    """Print a line a run; exit code: whether nine of ten are as they must be."""
    print(f"{'lengths':8s} {'step':>5s} {'goodput':>8s} {'low':>7s} {'high':>7s} {'truth':>7s} {'right':>6s} "
          f"{'held':>5s} {'after/inside':>12s} {'server p99 late':>16s}")  # fmt: skip
    found = []
    for n in range(runs):
        varied = n % 2 == 0
        with tempfile.TemporaryDirectory() as place:
            run = live_run(Path(place), scenario(seed=n + 1, varied=varied))
        found.append(run)
        goodput = run.metrics.goodput
        ends = [
            "none" if one is None else f"{one:.3f}"
            for one in ((None,) * 3 if goodput is None else (goodput.requests_per_s, goodput.low, goodput.high))
        ]
        step = "none" if goodput is None or goodput.step is None else str(USERS[goodput.step])
        print(f"{'varied' if varied else 'equal':8s} {step:>5s} {ends[0]:>8s} {ends[1]:>7s} {ends[2]:>7s} "
              f"{run.truth_per_s:7.3f} {run.is_right!s:>6s} {run.holds!s:>5s} {run.after_to_inside:12.3f} "
              f"{run.late_ms:13.2f} ms", flush=True)  # fmt: skip
    right, held = sum(run.is_right for run in found), sum(run.holds for run in found)
    print(f"{right} of {runs} right, {held} of {runs} hold the truth")
    return int(min(right, held) < 0.9 * runs)
