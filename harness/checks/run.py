"""Is the measurement to be trusted? Checks return data; the report renders it, the exit code follows it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from harness.backends.faults import hint_for
from harness.base.stats import MIN_BATCHES, SAMPLE_FLOORS
from harness.checks.client import client_checks
from harness.checks.finding import Check, check, step_name
from harness.checks.load import load_checks, open_checks
from harness.rundir.manifest import RunManifest
from harness.rundir.records import NOT_FAILURES
from harness.scenario import Scenario, SyntheticPrompts, TraceLoad

OUTPUT_LENGTH_TOLERANCE = 0.01
INPUT_LENGTH_TOLERANCE = 0.05
CACHE_HIT_TOLERANCE = 0.01
DRIFT_TOLERANCE = 0.2
HIGH_CORRELATION = 0.5
TGI_PIECE_TOKENS = 1024  # router/src/validation.rs of TGI 3.3


def add_checks(
    metrics: dict[str, Any], records: pd.DataFrame, client: pd.DataFrame, manifest: RunManifest
) -> None:
    """Put every step's findings into its `checks` and the run's own into the top-level `checks`."""
    scenario = Scenario.model_validate(manifest.scenario)
    for step in metrics["steps"]:
        inside = _within(client, step["window"], "t_s")
        rows = _within(records, step["window"], "scheduled_s")
        step["checks"] = [
            *client_checks(step, inside, getattr(scenario.load, "think_time_s", 0)),
            *_errors(step, rows, scenario, metrics["goodput"]),
            *open_checks(step, metrics["goodput"]),
            *_too_few(step, scenario),
            *_lengths(step, scenario),
            *_cache_hits(step, rows, scenario),
            *_steady(step),
        ]
    metrics["checks"] = [
        *_single_stream(metrics, manifest),
        *_cut_into_pieces(metrics, manifest),
        *_token_source(records),
        *_clock(client),
        *_other_model(records, manifest),
        *load_checks(scenario.load.kind, manifest.client),
        *_run(metrics, records, manifest),
    ]


def worst_level(metrics: dict[str, Any], decision: dict[str, Any] | None) -> str | None:
    """error, warning, or None when there is no finding."""
    findings = [c for step in metrics["steps"] for c in step["checks"]] + metrics.get("checks", [])
    findings += decision.get("checks", []) if decision else []
    levels = {finding["level"] for finding in findings}
    return next((level for level in ("error", "warning") if level in levels), None)


def _within(frame: pd.DataFrame, window: dict[str, float], column: str) -> pd.DataFrame:
    if column not in frame:
        return frame.iloc[:0]
    return frame[(frame[column] >= window["start_s"]) & (frame[column] < window["end_s"])]


def _errors(
    step: dict[str, Any], rows: pd.DataFrame, scenario: Scenario, goodput: dict[str, Any] | None
) -> list[Check]:
    if not step["requests"]:
        text = f"{step_name(step)} no request began and ended: nothing was measured"
        return [
            check("too_few_samples", "error" if goodput is None else "warning", text, "make step_s longer")
        ]
    rate = step["failed"] / step["requests"]
    if rate <= scenario.slo.error_rate:
        return []
    failures = rows[rows["error"].notna() & ~rows["error"].isin(NOT_FAILURES)]
    kinds = failures["error"].value_counts()
    shown = ", ".join(f"{count}x {kind}" for kind, count in kinds.head(3).items())
    detail = failures[failures["error"] == kinds.index[0]]["error_detail"].dropna()
    text = f"{step_name(step)} {step['failed']} of {step['requests']} requests failed ({shown})"
    text += f": {detail.iloc[0][:120]}" if len(detail) else ""
    # overload at a step above the goodput is what a ladder looks for; below it the run is broken
    level = "error" if goodput is None or rate >= 1 else "warning"
    hint = hint_for(kinds.index[0], detail.iloc[0] if len(detail) else None)
    limit = f"the limit is {scenario.slo.error_rate:.1%} (`slo.error_rate`)"
    return [check("errors_over_limit", level, text, hint or limit)]


def _too_few(step: dict[str, Any], scenario: Scenario) -> list[Check]:
    short = []
    finished = round((step["requests_per_s"] or 0) * (step["window"]["end_s"] - step["window"]["start_s"]))
    if finished < MIN_BATCHES:
        short.append(f"the rate from {finished} (needs {MIN_BATCHES} for an interval)")
    for key in scenario.slo.limits():
        name, percentile, _ = key.split("_")
        n, floor = step[f"{name}_s"]["n"], SAMPLE_FLOORS.get(percentile)
        if floor is not None and n < floor:
            short.append(f"{name.upper()} {percentile} from {n} (needs {floor})")
    if not short:
        return []
    return [
        check(
            "too_few_samples",
            "warning",
            f"{step_name(step)} too few requests: {', '.join(short)}",
            "make step_s longer",
        )
    ]


def _lengths(step: dict[str, Any], scenario: Scenario) -> list[Check]:
    out = []
    got, asked = step["mean_output_tokens"], step["mean_requested_output_tokens"]
    if (
        scenario.request.force_length
        and got is not None
        and asked
        and _off(got, asked) > OUTPUT_LENGTH_TOLERANCE
    ):
        text = f"{step_name(step)} answers had {got:.1f} tokens on average, {asked:.1f} were asked for"
        out.append(
            check("lengths_differ", "warning", text, "this engine cannot be told to ignore end-of-sequence")
        )
    wanted = _wanted_input(scenario)
    got_in = step["mean_input_tokens"]
    if wanted and got_in is not None and _off(got_in, wanted) > INPUT_LENGTH_TOLERANCE:
        text = f"{step_name(step)} prompts had {got_in:.0f} tokens on average, {wanted:.0f} were wanted"
        out.append(check("lengths_differ", "warning", text, "the endpoint's tokenizer could not be asked"))
    return out


def _wanted_input(scenario: Scenario) -> float | None:
    if not isinstance(scenario.prompts, SyntheticPrompts) or isinstance(scenario.load, TraceLoad):
        return None
    length = scenario.prompts.input_tokens
    return float(length if isinstance(length, int) else length.mean)


def _off(got: float, wanted: float) -> float:
    return abs(got - wanted) / wanted


def _cache_hits(step: dict[str, Any], rows: pd.DataFrame, scenario: Scenario) -> list[Check]:
    cached = step["cached_input_tokens"]
    prompt_tokens = rows["prompt_tokens"].sum()
    if (
        not cached
        or not prompt_tokens
        or scenario.wants_prefix_reuse
        or cached / prompt_tokens <= CACHE_HIT_TOLERANCE
    ):
        return []
    text = f"{step_name(step)} {cached / prompt_tokens:.0%} of the prompt tokens came from the server's prefix cache"
    return [
        check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")
    ]


def _steady(step: dict[str, Any]) -> list[Check]:
    warmup = step.get("warmup") or {}
    if warmup.get("settled") is False and not step.get("over_saturated"):
        text = f"{step_name(step)} the time for a token settles nowhere in the first half of the window"
        return [
            check("not_steady", "warning", text, "the figures mix two states; make step_s or warmup_s longer")
        ]
    if (warmup.get("found_s") or 0.0) > warmup.get("given_s", 0.0):
        text = (
            f"{step_name(step)} the server settled {warmup['found_s']:.1f} s after the step's start, "
            f"{warmup['given_s']:.1f} s of warm-up were given: what came before is left out"
        )
        hint = f"set load.warmup_s to {math.ceil(warmup['found_s'])}, and step_s longer by as much"
        return [check("warmup_too_short", "warning", text, hint)]
    correlation = step["goodput_lag1"]
    if correlation is None or correlation <= HIGH_CORRELATION:
        return []
    text = f"{step_name(step)} the rate drifts: neighbouring batches correlate at {correlation:.2f}"
    return [
        check("not_steady", "warning", text, "the interval is too narrow; make step_s or warmup_s longer")
    ]


def _single_stream(metrics: dict[str, Any], manifest: RunManifest) -> list[Check]:
    if manifest.engine.get("name") != "llama_cpp_python":
        return []
    if not any((step["load"].get("users") or 0) > 1 for step in metrics["steps"]):
        return []
    text = "llama-cpp-python serves one request at a time: more users only wait longer"
    return [check("single_stream_engine", "warning", text, "llama-server is llama.cpp's batching server")]


def _cut_into_pieces(metrics: dict[str, Any], manifest: RunManifest) -> list[Check]:
    """TGI's router generates longer answers in pieces, each queued and prefilled anew."""
    longest = max((s["mean_requested_output_tokens"] or 0 for s in metrics["steps"]), default=0)
    if manifest.backend != "tgi" or longest <= TGI_PIECE_TOKENS:
        return []
    text = f"TGI generates answers of {longest:.0f} tokens in pieces of {TGI_PIECE_TOKENS}, each queued anew"
    return [
        check("cut_into_pieces", "warning", text, "ask for fewer tokens: the gaps between pieces are TGI's")
    ]


def _other_model(records: pd.DataFrame, manifest: RunManifest) -> list[Check]:
    """An endpoint that lists one model answers for that one, whatever it was asked for."""
    served = manifest.client.get("served_models") or []
    if not served or manifest.model in (*served, "tgi") or not records["error"].isna().any():
        return []
    text = f"the endpoint answered for `{manifest.model}`, which it does not list: it serves {', '.join(served[:3])}"
    hint = f"unless that is an alias, the figures are another model's: --model {served[0]}"
    return [check("other_model", "warning", text, hint)]


def _token_source(records: pd.DataFrame) -> list[Check]:
    served = records[records["error"].isna()]
    others = served[served["token_source"] != "server"]
    if not len(others):
        return []
    sources = sorted(set(others["token_source"]))
    text = (
        f"{len(others)} of {len(served)} token counts are not the server's own but from: {', '.join(sources)}"
    )
    hint = "counts of source unknown are left out of throughput" if "unknown" in sources else None
    return [check("token_source", "error" if len(others) and "unknown" in sources else "warning", text, hint)]


def _clock(client: pd.DataFrame) -> list[Check]:
    if "clock_steps" not in client or not len(client) or not client["clock_steps"].max():
        return []
    text = f"the machine's clock was stepped {client['clock_steps'].max()} times during the run"
    return [check("clock_stepped", "error", text, "arrival times around the steps are wrong; run again")]


def _run(metrics: dict[str, Any], records: pd.DataFrame, manifest: RunManifest) -> list[Check]:
    out = []
    ended = manifest.client.get("ended_early")
    if ended:
        out.append(check("ended_early", "error", ended["text"], ended["hint"]))
    elif manifest.partial:
        out.append(check("partial", "warning", "the run was cut short; this is what it had measured", None))
    if manifest.client.get("exact_lengths") is False:
        text = "the endpoint has no tokenizer route: prompt lengths are estimated at 4 characters a token"
        out.append(
            check("estimated_lengths", "warning", text, "the server's own prompt count is what is reported")
        )
    if not len(records):
        out.append(check("too_few_samples", "error", "no request was sent", None))
    if metrics["goodput"] is None and any(step["slo_met"] is False for step in metrics["steps"]):
        out.append(
            check("slo_never_met", "warning", "no load step kept the SLO: infeasible on this box", None)
        )
    return out
