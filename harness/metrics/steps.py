"""From records to metrics.json: one window a step, tokens and seconds always from the same window.

Definitions (each request; times in seconds):
    TTFT          first_token - sent        (open loop: - scheduled)
    E2E           finished - sent           (open loop: - scheduled)
    TPOT          (finished - first_token) / (output_tokens - 1), none for one token
    ITL           gaps between token arrivals, only where arrivals were kept
    schedule lag  sent - scheduled
Latencies: requests scheduled in the window that did not fail. Throughput: tokens that arrived in the window.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from harness.base.stats import (
    MIN_BATCHES,
    MIN_SLO_SAMPLES,
    Floats,
    batch_rates,
    lag1_correlation,
    summary,
    t_interval,
)
from harness.metrics.saturation import open_facts
from harness.metrics.steady import settle
from harness.metrics.windows import Columns, Stamps, Window, columns, tokens_in_window
from harness.rundir.arrivals import Arrivals
from harness.scenario import RampLoad, Scenario, TraceLoad

METRICS_SCHEMA = 1


def compute_metrics(
    records: pd.DataFrame,
    steps: list[dict[str, Any]],
    scenario: Scenario,
    arrivals: Arrivals | None = None,
) -> dict[str, Any]:
    """metrics.json without its checks; `steps` as store.read_steps gives them."""
    data = columns(records, from_schedule=scenario.load.is_open)
    stamps = None if arrivals is None else Stamps(arrivals, arrivals.rows_of(data.request_id))
    last_s = float(_known(np.append(data.finished_s, data.sent_s)).max(initial=0.0))
    out = []
    for step in steps:
        end_s = step.get("end_s")
        window = Window(
            step["window_start_s"], max(last_s if end_s is None else end_s, step["window_start_s"])
        )
        window, warmup = _after_warmup(step, data, window, scenario)
        out.append(step_metrics(step, data, window, scenario, stamps) | {"warmup": warmup})
    return {"schema": METRICS_SCHEMA, "steps": out, "goodput": goodput_of(out)}


def _after_warmup(
    step: dict[str, Any], data: Columns, window: Window, scenario: Scenario
) -> tuple[Window, dict[str, Any]]:
    """The window without the warm-up that its own requests show beyond the one given; a ramp and a log have none.

    `warmup`: `given_s`, `found_s` (from the step's start on, never less than given; None: not told) and `settled`.
    """
    began_s = step["start_s"]
    given_s = window.start_s - began_s
    timed = window.holds(data.scheduled_s) & data.ok & ~np.isnan(data.e2e_s)
    if isinstance(scenario.load, RampLoad | TraceLoad) or not timed.any():
        return window, {"given_s": given_s, "found_s": None, "settled": None}
    start_s, settled = settle(
        data.scheduled_s[timed], data.e2e_s[timed], data.output_tokens[timed], window.start_s
    )
    found_s = start_s - began_s if settled else None
    return replace(window, start_s=start_s), {"given_s": given_s, "found_s": found_s, "settled": settled}


def step_metrics(
    step: dict[str, Any], data: Columns, window: Window, scenario: Scenario, stamps: Stamps | None
) -> dict[str, Any]:
    """One step of metrics.json."""
    scheduled = window.holds(data.scheduled_s)
    timed = scheduled & data.ok
    latencies = {
        "ttft_s": summary(_known(data.ttft_s[timed])),
        "tpot_s": summary(_known(data.tpot_s[timed])),
        "itl_s": None if stamps is None else summary(stamps.arrivals.gaps_s(stamps.rows[timed])),
        "e2e_s": summary(_known(data.e2e_s[timed])),
        "schedule_lag_s": summary(_known((data.sent_s - data.scheduled_s)[scheduled])),
    }
    requests = int((scheduled & (data.ok | data.failed)).sum())
    failed = int((scheduled & data.failed).sum())
    metrics: dict[str, Any] = {
        "step": step["step"],
        "load": step["load"],
        "window": {"start_s": window.start_s, "end_s": window.end_s},
        "requests": requests,
        "failed": failed,
        **_rates(data, window, stamps),
        **latencies,
    }
    metrics["slo_met"] = slo_met(metrics, scenario.slo.limits(), scenario.slo.error_rate)
    if scenario.load.is_open:
        metrics |= _open_facts(step, data, window)
        dropped = metrics["not_sent"] > scenario.slo.error_rate * max(requests + metrics["not_sent"], 1)
        if metrics["over_saturated"] or dropped:  # it would not last, or was not the load that was asked for
            metrics["slo_met"] = False
    if step.get("given_up"):  # cut when it could not pass any more: what was under way would have failed it
        metrics |= {"slo_met": False, "given_up": True}
    metrics |= _goodput(data, window, scenario.slo.limits())
    metrics |= {
        "mean_input_tokens": _mean(data.prompt_tokens[timed]),
        "mean_output_tokens": _mean(data.output_tokens[timed]),
        "mean_requested_output_tokens": _mean(data.requested_tokens[timed]),
        "cached_input_tokens": _sum(data.cached_tokens[timed]),
        "checks": [],
    }
    return metrics


def _open_facts(step: dict[str, Any], data: Columns, window: Window) -> dict[str, Any]:
    ended_s = np.where(data.failed & np.isnan(data.finished_s), data.sent_s, data.finished_s)
    ended_s = np.where(data.cut, np.nan, ended_s)
    span = (window.start_s, window.end_s)
    facts = open_facts(data.scheduled_s, data.sent_s, ended_s, span, data.e2e_s[data.ok])
    return facts | {"over_saturated": bool(step.get("over_saturated")) or facts["over_saturated"]}


def _rates(data: Columns, window: Window, stamps: Stamps | None) -> dict[str, float | None]:
    if window.length_s <= 0:
        return {"requests_per_s": None, "input_tokens_per_s": None, "output_tokens_per_s": None}
    served = data.ok | data.cut
    finished = window.holds(data.finished_s) & data.ok
    prompt_seen_s = np.where(np.isnan(data.first_s), data.finished_s, data.first_s)
    prompts = window.holds(prompt_seen_s) & served
    tokens = tokens_in_window(
        data.first_s[served], data.finished_s[served], data.output_tokens[served], window
    )
    if stamps is not None:
        output, rows = data.output_tokens[served], stamps.rows[served]
        counted = stamps.arrivals.tokens_between(rows, output, window.start_s, window.end_s)
        tokens = np.where(np.isnan(counted), tokens, counted)
    return {
        "requests_per_s": int(finished.sum()) / window.length_s,
        "input_tokens_per_s": _per_s(data.prompt_tokens[prompts], window),
        "output_tokens_per_s": float(tokens.sum()) / window.length_s,
    }


def slo_met(metrics: dict[str, Any], limits: dict[str, float], error_rate: float) -> bool | None:
    """Whether a step keeps its limits; None where a limit's percentile would come from fewer than 10 requests."""
    if metrics["requests"] and metrics["failed"] / metrics["requests"] > error_rate:
        return False
    verdict: bool | None = True if metrics["requests"] else None
    for key, limit_s in limits.items():
        name, percentile, _ = key.split("_")
        figures = metrics[f"{name}_s"]
        if figures["n"] < MIN_SLO_SAMPLES:
            verdict = None
        elif figures[percentile] > limit_s:
            return False
    return verdict


def _goodput(data: Columns, window: Window, limits: dict[str, float]) -> dict[str, Any]:
    """Requests per second that finished in the window, well and within every limit, with batch means.

    The interval is never narrower than one request more or less in the window: a count has no finer resolution.
    """
    nothing = {
        "goodput_requests_per_s": None,
        "goodput_low": None,
        "goodput_high": None,
        "goodput_lag1": None,
    }
    if window.length_s <= 0:
        return nothing
    good = data.ok & ~np.isnan(data.sent_s) & ~np.isnan(data.finished_s)
    for key, limit_s in limits.items():
        values = {"ttft": data.ttft_s, "tpot": data.tpot_s, "e2e": data.e2e_s}[key.split("_")[0]]
        good &= ~(values > limit_s)  # an unknown latency (one token has no TPOT) breaks no limit
    ended = int((good & window.holds(data.finished_s)).sum())
    rate = ended / window.length_s
    if ended < MIN_BATCHES:
        return nothing | {"goodput_requests_per_s": rate}
    per_s = batch_rates(data.sent_s[good], data.finished_s[good], (window.start_s, window.end_s))
    interval = t_interval(per_s)
    assert interval.low is not None
    half = max(interval.mean - interval.low, 1 / window.length_s)
    return {
        "goodput_requests_per_s": rate,
        "goodput_low": max(rate - half, 0.0),
        "goodput_high": rate + half,
        "goodput_lag1": lag1_correlation(per_s),
    }


def goodput_of(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """G: goodput of the highest-load step that passes below the first that fails; None when none passes."""
    best: dict[str, Any] | None = None
    for step in sorted(steps, key=_load_size):
        if step["slo_met"] is False:
            break
        if step["slo_met"] and step["goodput_requests_per_s"]:
            best = step
    if best is None:
        return None
    return {
        "requests_per_s": best["goodput_requests_per_s"],
        "low": best["goodput_low"],
        "high": best["goodput_high"],
        "confidence": 0.95,
        "step": best["step"],
    }


def _load_size(step: dict[str, Any]) -> float:
    load = step["load"]
    return float(load.get("users") or load.get("requests_per_s") or 0)


def _known(values: Floats) -> Floats:
    return values[~np.isnan(values)]


def _mean(values: Floats) -> float | None:
    known = _known(values)
    return float(known.mean()) if len(known) else None


def _sum(values: Floats) -> float | None:
    known = _known(values)
    return float(known.sum()) if len(known) else None


def _per_s(tokens: Floats, window: Window) -> float | None:
    """Tokens per second; None when a count is missing, because a partial sum is no throughput."""
    if len(tokens) and np.isnan(tokens).any():
        return None
    return float(tokens.sum()) / window.length_s
