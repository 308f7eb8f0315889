"""The simulated engine of benchmarks/ through records and `compute_metrics`, as a run directory would have it."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.coverage import LADDER, LADDERS, SEED, STEPS, WARMUP_S, WINDOW_S, LadderCase, StepCase, measured, truth
from benchmarks.virtual_engine import Engine, Requests, serve
from harness.metrics.steps import compute_metrics
from harness.report.compare.pool import pool
from harness.report.model import RunFiles
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

STEP_S = WARMUP_S + WINDOW_S
APART_S = 1000.0  # from one step's start to the next one's


def step_case(name: str) -> StepCase:
    return next(one for one in STEPS if one.name == name)


def ladder_case(name: str) -> LadderCase:
    return next(one for one in LADDERS if one.name == name)


def rows(requests: Requests, step: int) -> list[dict[str, object]]:
    columns = dataclasses.asdict(requests)
    return [
        {
            "request_id": f"{step}-{n}", "step": step, "scheduled_s": at_s + sent, "sent_s": at_s + sent,
            "first_token_s": at_s + first, "finished_s": at_s + finished, "prompt_tokens": int(prompt),
            "output_tokens": int(output), "requested_output_tokens": int(output), "token_source": "server",
        }
        for at_s in [APART_S * step]
        for n, (sent, first, finished, output, prompt) in enumerate(
            zip(*(columns[name] for name in
                  ("sent_s", "first_s", "finished_s", "output_tokens", "prompt_tokens")), strict=True))
        if not np.isnan(finished)
    ]  # fmt: skip


def run(steps: list[StepCase], seeds: list[tuple[int, ...]], tpot_p95_s: float | None) -> Metrics:
    """A run of such steps, held until all has ended."""
    kind = "closed" if steps[0].users else "open"
    loads = {"users": [step.users for step in steps]} if steps[0].users else {"requests_per_s": [4.0] * len(steps)}
    scenario = Scenario.model_validate({
        "name": "t", "load": {"kind": kind, **loads, "step_s": STEP_S, "warmup_s": WARMUP_S},
        "slo": {"preset": "batch"} if tpot_p95_s is None else {"tpot_p95_s": tpot_p95_s},
    })  # fmt: skip
    ran, records = [], []
    for number, (step, seed) in enumerate(zip(steps, seeds, strict=True)):
        served = serve(step.engine, step.work, step.load(), STEP_S, seed)
        start_s = APART_S * number
        load = LoadOfStep(kind=kind, users=step.users or None, requests_per_s=step.requests_per_s or None)
        ran.append(RanStep(
            step=number, load=load, start_s=start_s, window_start_s=start_s + WARMUP_S, end_s=start_s + STEP_S,
            held_s=start_s + float(np.nanmax(served.finished_s)),
        ))  # fmt: skip
        records += rows(served, number)
    return compute_metrics(typed(records), ran, scenario)


@pytest.mark.parametrize("name", ["varied", "heavy-tailed", "equal, long", "open", "varied, drift 12 %, 30 s"])
def test_a_steps_rate_and_interval_are_those_of_the_coverage_table(name: str) -> None:
    (step,) = run([step_case(name)], [(SEED, 3)], None).steps
    rate, _ = measured(step_case(name), (SEED, 3), None)

    assert step.requests_per_s == pytest.approx(rate.per_s, rel=1e-6)
    assert (step.goodput_low, step.goodput_high) == (
        pytest.approx(rate.low, rel=1e-6),
        pytest.approx(rate.high, rel=1e-6),
    )
    assert (step.drift is None) == (rate.drift is None)


def test_a_ladders_verdicts_and_goodput_come_out_of_its_records() -> None:
    ladder = ladder_case("ladder, long")

    metrics = run([ladder.step(users) for users in LADDER], [(SEED, 0, n) for n in range(5)], ladder.tpot_p95_s)

    judged = [measured(ladder.step(users), (SEED, 0, n), ladder.tpot_p95_s)[1] for n, users in enumerate(LADDER)]
    assert [step.slo_met for step in metrics.steps] == [slo.met for slo in judged] == [True, True, True, True, False]
    assert metrics.goodput is not None
    assert metrics.goodput.step == LADDER.index(ladder.right)
    assert metrics.goodput.low is not None
    assert metrics.goodput.high is not None
    per_s, _ = truth(ladder.step(ladder.right), ladder.tpot_p95_s, 5_000.0)
    assert metrics.goodput.low <= per_s <= metrics.goodput.high


def test_a_ladder_that_ends_too_early_is_at_least_and_one_that_begins_too_high_has_no_goodput() -> None:
    ladder = ladder_case("ladder")
    low, high = ([ladder.step(users) for users in loads] for loads in ((2, 4), (24, 32)))

    unfilled = run(low, [(SEED, 1), (SEED, 2)], ladder.tpot_p95_s).goodput
    overfilled = run(high, [(SEED, 1), (SEED, 2)], 0.020)

    assert unfilled is not None
    assert (unfilled.at_least, unfilled.high, unfilled.step) == (True, None, 1)
    assert overfilled.goodput is None
    assert overfilled.why_no_goodput() == "no load step met the SLO"


def test_repeats_on_an_engine_that_is_another_each_time_hold_the_truth_that_one_run_does_not() -> None:
    # each run's engine is faster or slower than the mean by 6 %, all through the run
    ladder = ladder_case("ladder")
    manifest = RunManifest.model_validate({
        "scenario": {"name": "t"}, "seed": 1, "started_at": "", "started_monotonic_ns": 0, "harness_version": "",
        "git_revision": None, "scenario_digest": "d", "backend": "vllm", "engine": {"name": "vllm"}, "model": "m",
        "quantization": None, "instance": {}, "client": {},
    })  # fmt: skip
    per_s, _ = truth(ladder.step(8), None, 5_000.0)
    held_by_one = held_by_pool = 0
    for trial in range(30):
        speeds = np.random.default_rng((SEED, trial)).normal(1, 0.06, 3)
        engines = [Engine(iteration_s=0.012 * s, running_s=0.0006 * s, prompt_token_s=0.00008 * s) for s in speeds]
        files = [
            RunFiles(Path(str(n)), manifest, run([StepCase("", 0.9, engine, users=8)], [(SEED, trial, n)], None), None)
            for n, engine in enumerate(engines)
        ]
        one, pooled = files[0].metrics.steps[0], pool(files)["goodput"]
        assert one.goodput_low is not None
        assert one.goodput_high is not None
        held_by_one += one.goodput_low <= per_s <= one.goodput_high
        half = pooled["requests_per_s"] - pooled["low"]  # one load: its upper end is left open
        held_by_pool += abs(pooled["requests_per_s"] - per_s) <= half

    assert held_by_pool >= 27
    assert held_by_one <= 24
