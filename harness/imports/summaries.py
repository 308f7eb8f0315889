"""A tool's own figures of a load whose requests it did not keep, as a step of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.imports.files import number
from harness.rundir.of_step import LoadOfStep, Summary
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Step

MS = 1e-3  # seconds
NO_ROWS = "the tool kept no single requests"


def summary_ms(said: Mapping[str, Any], name: str, n: int) -> Summary:
    """Out of flat keys in milliseconds: `mean_ttft_ms`, `median_ttft_ms`, `p99_ttft_ms`."""
    keys = {"mean": "mean", "p50": "median", "p90": "p90", "p95": "p95", "p99": "p99"}
    return summary_of({ours: said.get(f"{theirs}_{name}_ms") for ours, theirs in keys.items()}, n, MS)


def summary_of(figures: Mapping[str, Any], n: int, unit_s: float) -> Summary:
    """Out of `mean`, `p50`, `p90`, `p95`, `p99` in a unit of so many seconds; what is missing stays unknown."""
    seconds = {
        key: None if (value := number(figures.get(key))) is None else value * unit_s
        for key in ("mean", "p50", "p90", "p95", "p99")
    }
    return Summary(n=n if any(value is not None for value in seconds.values()) else 0, **seconds)


def summary_step(
    load: LoadOfStep,
    *,
    duration_s: float | None,
    completed: int,
    failed: int,
    input_tokens: float | None,
    output_tokens: float | None,
    ttft: Summary,
    tpot: Summary,
    e2e: Summary,
    peak: float | None = None,
) -> Step:
    """One load; tokens are those of all requests together, and rates are over the whole time, ramp and drain too."""

    def per_s(count: float | None) -> float | None:
        return None if count is None or not duration_s else count / duration_s

    def mean(count: float | None) -> float | None:
        return None if count is None or not completed else count / completed

    return Step(
        step=0,
        load=load,
        window=WindowOfStep(start_s=0.0, end_s=duration_s or 0.0),
        requests=completed + failed,
        failed=failed,
        requests_per_s=per_s(completed),
        input_tokens_per_s=per_s(input_tokens),
        output_tokens_per_s=per_s(output_tokens),
        ttft_s=ttft,
        tpot_s=tpot,
        e2e_s=e2e,
        peak_in_flight=None if peak is None else int(peak),
        slo_verdict="not_judged",
        void=NO_ROWS,
        mean_input_tokens=mean(input_tokens),
        mean_output_tokens=mean(output_tokens),
    )
