"""Runs for the report's tests, made by the product's own functions out of invented requests.

| case | what it shows | worked by hand |
|---|---|---|
| `two_windows` | self-hosting wins, loses again, wins for good | 0.00615 USD a task, 5.672 USD/h, 66 requests in 110 s are 0.6 req/s, 8,666.67 USD fixed: capacity 0.6 x 2,628,000 = 1,576,800 tasks; wins 2,755,737.669 to 3,153,600 and from 3,428,999.458 |
| `never` | a full instance costs more than it saves | peak/mean 2.5, load limit 0.8: capacity 504,576 tasks, worth 3,103.14 USD of the API, costs 4,140.56 |
| `infeasible` | no load step meets the SLO | every first token takes 3 s more: goodput null, capacity null |
| `partial` | stopped in its second step, nothing priced, engine and instance unknown | no decision |
| `errors` | two checks of level error | a client that was busy 93 % of the time, and a demand of another shape |
| `twelve_steps` | a long ladder, a stand-in arm, self-hosting cheaper than two APIs | 0.08925 USD/h is 65.1525 USD a month: 10,593.9 tasks at 0.00615 |
"""  # noqa: E501

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pandas as pd

from harness.checks.run import Measured, with_checks
from harness.cost.verdict import build_decision
from harness.demand.demand import demand_from_dict
from harness.metrics.server import server_side
from harness.metrics.steps import compute_metrics
from harness.report.model import RunFiles
from harness.rundir import files
from harness.rundir.decision import Decision
from harness.rundir.manifest import RunManifest
from harness.rundir.of_step import LoadOfStep
from harness.rundir.read import typed
from harness.rundir.result import Result
from harness.rundir.results import Metrics
from harness.rundir.steps import RanStep
from harness.scenario import Scenario

PRICES = Path(__file__).with_name("report_prices.yaml")
NAMES = ("two_windows", "never", "infeasible", "partial", "errors", "twelve_steps")

HOSTILE = "<script>alert(1)</script>|\n# x](javascript:y) `tick` \x1b[31mred\x1b[0m \u202eevil @someone"

QUANTILES = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)
INPUT_TOKENS, OUTPUT_TOKENS = 800, 250


class Case(NamedTuple):
    """What a run directory says."""

    run: RunManifest
    metrics: Metrics
    decision: Decision | None

    def under(self, run_dir: Path) -> RunFiles:
        """The same, as files of a directory."""
        return RunFiles(run_dir, *self)


@dataclass(frozen=True)
class Invented:
    """The requests of a step: how many end in its window, how many of them fail, and their times at QUANTILES."""

    users: int
    requests: int
    ttft_s: tuple[float, ...]
    tpot_s: tuple[float, ...]
    failed: int = 0


AROUND_S = 25.0  # the longest request takes 22

FOUR_STEPS = (
    Invented(1, 16, (0.18, 0.21, 0.24, 0.26, 0.31, 0.31), (0.0245, 0.0249, 0.0256, 0.0262, 0.027, 0.027)),
    Invented(2, 33, (0.25, 0.29, 0.37, 0.42, 0.5, 0.5), (0.0245, 0.0251, 0.026, 0.0268, 0.0281, 0.0281)),
    Invented(4, 66, (0.5, 0.71, 1.32, 1.9, 1.98, 1.99), (0.0248, 0.0262, 0.0291, 0.0303, 0.0338, 0.0338)),
    Invented(8, 99, (1.0, 2.9, 5.8, 7.2, 9.1, 9.1), (0.026, 0.0318, 0.0402, 0.0451, 0.0522, 0.0522), failed=1),
)
LADDER = (
    (1, 216, 0.103, 0.0164, 0), (2, 405, 0.116, 0.0173, 0), (3, 576, 0.13, 0.0182, 0), (4, 729, 0.145, 0.0191, 0),
    (6, 972, 0.177, 0.0209, 0), (8, 1143, 0.212, 0.0227, 0), (12, 1341, 0.292, 0.0263, 0), (16, 1449, 0.383, 0.0299, 0),
    (24, 1494, 1.6, 0.0371, 0), (32, 1512, 1.9, 0.0443, 0), (48, 1521, 2.5, 0.0587, 3), (64, 1503, 3.3, 0.0731, 3),
)  # fmt: skip
TWELVE_STEPS = tuple(
    Invented(
        users, n, tuple(ttft * k for k in (0.9, 1, 1.5, 1.9, 2.9, 2.9)),
        tuple(tpot * k for k in (0.95, 1, 1.15, 1.22, 1.5, 1.5)), failed,
    )
    for users, n, ttft, tpot, failed in LADDER
)  # fmt: skip


def requests_of(number: int, ran: RanStep, invented: Invented) -> list[dict[str, Any]]:
    """The rows of a step: `n` scheduled in its window, slow ones spread over it, and the same again before and after.

    So the load is even, and what lies outside the window of one is made up for by its like at the other end.
    """
    ends = (ran.window_start_s, ran.end_s or ran.window_start_s)
    n = invented.requests
    places = np.linspace(0, 1, n)
    ttft_s, tpot_s = np.interp(places, QUANTILES, invented.ttft_s), np.interp(places, QUANTILES, invented.tpot_s)
    order = np.random.default_rng(number).permutation(n)
    rows = []
    apart_s = (ends[1] - ends[0]) / n
    around = math.ceil(AROUND_S / apart_s)
    for k in range(-around, n + around):
        i = order[k % n]
        took_s = float(ttft_s[i] + tpot_s[i] * (OUTPUT_TOKENS - 1))
        sent_s = ends[0] + apart_s * (k + 0.5)
        is_failed = 0 <= k < invented.failed
        if sent_s < ran.start_s:
            continue
        rows.append({
            "request_id": f"r{number}-{k}", "step": number, "attempt": 1, "scheduled_s": sent_s,
            "sent_s": sent_s + 0.0002,
            "first_token_s": sent_s + 0.0002 + float(ttft_s[i]), "finished_s": sent_s + 0.0002 + took_s,
            "prompt_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS, "requested_output_tokens": OUTPUT_TOKENS,
            "token_source": "server", "events": OUTPUT_TOKENS, "clock": "kernel", "http_status": 200,
            "finish_reason": None if is_failed else "length", "error": "truncated" if is_failed else None, "process": 1,
        })  # fmt: skip
    return rows


def steps_of(invented: tuple[Invented, ...], length_s: float, warmup_s: float) -> list[RanStep]:
    return [
        RanStep(
            step=n, load=LoadOfStep(kind="closed", users=one.users), start_s=n * (length_s + AROUND_S),
            window_start_s=n * (length_s + AROUND_S) + warmup_s, end_s=n * (length_s + AROUND_S) + length_s,
        )
        for n, one in enumerate(invented)
    ]  # fmt: skip


SUPPORT: dict[str, Any] = {
    "name": "support-agent", "tasks_per_month": 400_000,
    "classes": [{"name": "chat", "input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}],
}  # fmt: skip
ARMS = ["anthropic:claude-sonnet-5-5", "openai:gpt-6-luna", "groq:llama-3.3-70b-versatile"]
G5 = {"id": "g5.12xlarge", "purchase": "on_demand", "usd_per_hour": None, "replicas": 1}


def read_run(name: str) -> RunManifest:
    """run.json of a case: what was driven, by whom, with what."""
    path = Path(__file__).parent.parent / "data" / "report" / f"{name}.json"
    return RunManifest.model_validate(json.loads(path.read_text(encoding="utf-8")))


DEMANDS: dict[str, dict[str, Any]] = {
    "two_windows": SUPPORT | {"self_fixed_usd_per_month": 26_000 / 3},
    "never": SUPPORT | {"peak_to_mean": 2.5, "max_load": 0.8},
    "infeasible": SUPPORT,
    "errors": SUPPORT | {"classes": [{"name": "chat", "input_tokens": 1_200, "output_tokens": OUTPUT_TOKENS}]},
    "twelve_steps": SUPPORT,
}


def invented_of(name: str) -> tuple[Invented, ...]:
    if name == "twelve_steps":
        return TWELVE_STEPS
    if name == "partial":
        return FOUR_STEPS[:2]
    if name == "infeasible":
        return tuple(replace(one, failed=0, ttft_s=tuple(s + 3 for s in one.ttft_s)) for one in FOUR_STEPS)
    return FOUR_STEPS


@cache
def _made(name: str) -> tuple[Metrics, Decision | None]:
    manifest = read_run(name)
    scenario, invented = Scenario.model_validate(manifest.scenario), invented_of(name)
    length_s, warmup_s = (930.0, 30.0) if name == "twelve_steps" else (140.0, 30.0)
    steps = steps_of(invented, length_s, warmup_s)
    rows = [row for ran, one in zip(steps, invented, strict=True) for row in requests_of(ran.step, ran, one)]
    if name == "partial":  # cut 8 s into the second step's window
        steps[1] = steps[1].model_copy(update={"end_s": None})
        rows = [row for row in rows if row["finished_s"] < steps[1].window_start_s + 15]
    busy = 0.93 if name == "errors" else 0.1
    seconds = int(len(steps) * (length_s + AROUND_S))
    client = pd.DataFrame(
        [{"t_s": float(t), "process": 1, "cpu": busy, "in_flight": 999, "clock_steps": 0} for t in range(seconds)]
    )
    records, server = typed(rows), server_side(None, manifest.engine.get("name"))
    metrics = compute_metrics(records, steps, scenario, server=server)
    metrics = with_checks(metrics, Measured(records, client, manifest, scenario, server))
    metrics = metrics.model_copy(update={"server": None})  # as a run from before servers were asked
    if name not in DEMANDS:
        return metrics, None
    demand = demand_from_dict(DEMANDS[name])
    return metrics, build_decision(manifest, metrics, demand, manifest.arms, prices_file=PRICES)


def case(name: str) -> Case:
    """A fresh copy of a run."""
    return Case(read_run(name), *_made(name))


def decision_of(name: str) -> Decision:
    """The decision of a run that was priced."""
    decision = case(name).decision
    assert decision is not None
    return decision


Read = TypeVar("Read", bound=Result)


def changed(read: Read, change: Callable[[dict[str, Any]], object]) -> Read:
    """Figures or a decision as they would be read if their file said otherwise; `change` edits its object in place."""
    data = read.to_dict()
    change(data)
    return type(read).model_validate(data)


def write_case(name: str, directory: Path) -> Path:
    """A run directory of which only what was said of it is left: no records."""
    run, metrics, decision = case(name)
    directory.mkdir()
    files.write_manifest(directory, run)
    files.write_json(directory, "metrics.json", metrics.to_dict())
    if decision is not None:
        files.write_json(directory, "decision.json", decision.to_dict())
    return directory


def run_of(name: str = "two_windows", directory: str = "a-run", **changes: Any) -> RunFiles:
    """A hand-made run; `goodput=(low, value, high)`, or keys of run.json, changed."""
    given = case(name)
    goodput = changes.pop("goodput", None)
    run = RunManifest.model_validate({**given.run.to_dict(), **changes})
    files = RunFiles(Path(directory), run, given.metrics, given.decision)
    if goodput is None:
        return files
    low, value, high = goodput
    said = {"requests_per_s": value, "low": low, "high": high, "at_least": high is None and low is not None}
    return measuring(files, lambda m: m["goodput"].update(said))


def measuring(files: RunFiles, change: Callable[[dict[str, Any]], object]) -> RunFiles:
    """The run with other figures."""
    return replace(files, metrics=changed(files.metrics, change))
