"""Is the measurement to be trusted? Checks return data; the report renders it, the exit code follows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.backends.faults import hint_for
from harness.base.stats import MIN_SLO_SAMPLES, SAMPLE_FLOORS
from harness.checks.client import client_checks
from harness.checks.finding import at, check
from harness.checks.load import load_checks, open_checks
from harness.checks.phases import phase_checks, stall_checks
from harness.checks.server import server_run_checks, server_step_checks
from harness.metrics.rate import MIN_COUNTED
from harness.metrics.server import ServerSide
from harness.rundir.manifest import RunManifest
from harness.rundir.records import NOT_FAILURES
from harness.rundir.results import Check, Level, Metrics, Step
from harness.scenario import ClosedLoad, Scenario, SyntheticPrompts, TraceLoad

OUTPUT_LENGTH_TOLERANCE = 0.01
INPUT_LENGTH_TOLERANCE = 0.05
CACHE_HIT_TOLERANCE = 0.01
TGI_PIECE_TOKENS = 1024  # router/src/validation.rs of TGI 3.3


@dataclass(frozen=True, slots=True)
class Measured:
    """What findings are looked for in, beside the figures: everything that a run recorded."""

    records: pd.DataFrame
    client: pd.DataFrame
    manifest: RunManifest
    scenario: Scenario
    server: ServerSide
    impossible: Sequence[Check] = ()  # of the records, before they were counted


def with_checks(metrics: Metrics, measured: Measured) -> Metrics:
    """The figures with every step's findings and the run's own: the one place where findings are put in."""
    of_steps = [_step_checks(step, metrics, measured) for step in metrics.steps]
    return metrics.with_checks(of_steps, _run_checks(metrics, measured))


def _step_checks(step: Step, metrics: Metrics, measured: Measured) -> list[Check]:
    scenario = measured.scenario
    is_goodput = metrics.goodput is not None and metrics.goodput.requests_per_s is not None
    rows = _within(measured.records, step, "scheduled_s")
    think_time_s = scenario.load.think_time_s if isinstance(scenario.load, ClosedLoad) else 0.0
    pages = measured.server.pages
    return [
        *client_checks(step, _within(measured.client, step, "t_s"), think_time_s),
        *_errors(step, rows, scenario, is_goodput=is_goodput),
        *open_checks(step, is_goodput=is_goodput),
        *_too_few(step, scenario),
        *_lengths(step, scenario),
        *_cache_hits(step, rows, scenario),
        *_steady(step),
        *phase_checks(step, rows, scenario),
        *stall_checks(step, () if metrics.timeline is None else metrics.timeline.stalls),
        *server_step_checks(step, None if pages is None else pages.catalogue),
    ]


def _run_checks(metrics: Metrics, measured: Measured) -> list[Check]:
    records, manifest, server = measured.records, measured.manifest, measured.server
    return [
        *_single_stream(metrics, manifest),
        *_cut_into_pieces(metrics, manifest),
        *_token_source(records),
        *_clock(measured.client),
        *_other_model(records, manifest),
        *load_checks(measured.scenario.load.kind, manifest.client),
        *_ended(manifest),
        *_nothing(metrics, records),
        *measured.impossible,
        *server_run_checks(server.pages, server.said, manifest.engine.get("version")),
    ]


def worst_level(checks: Sequence[Check]) -> Level | None:
    """error, warning, or None when there is no finding."""
    levels = {found.level for found in checks}
    return "error" if "error" in levels else "warning" if levels else None


def _within(frame: pd.DataFrame, step: Step, column: str) -> pd.DataFrame:
    if column not in frame:
        return frame.iloc[:0]
    return frame[(frame[column] >= step.window.start_s) & (frame[column] < step.window.end_s)]


def _errors(step: Step, rows: pd.DataFrame, scenario: Scenario, *, is_goodput: bool) -> list[Check]:
    if not step.requests:
        text = f"{at(step)} no request began and ended: nothing was measured"
        return [check("too_few_samples", "warning" if is_goodput else "error", text, "make step_s longer")]
    rate = step.failed / step.requests
    if rate <= scenario.slo.error_rate:
        return []
    failures = rows[rows["error"].notna() & ~rows["error"].isin(NOT_FAILURES)]
    kinds = failures["error"].value_counts()
    shown = ", ".join(f"{count}x {kind}" for kind, count in kinds.head(3).items())
    detail = failures[failures["error"] == kinds.index[0]]["error_detail"].dropna()
    text = f"{at(step)} {step.failed} of {step.requests} requests failed ({shown})"
    text += f": {detail.iloc[0][:120]}" if len(detail) else ""
    # overload at a step above the goodput is what a ladder looks for; below it the run is broken
    level: Level = "warning" if is_goodput and rate < 1 else "error"
    hint = hint_for(kinds.index[0], detail.iloc[0] if len(detail) else None)
    limit = f"the limit is {scenario.slo.error_rate:.1%} (`slo.error_rate`)"
    return [check("errors_over_limit", level, text, hint or limit)]


def _too_few(step: Step, scenario: Scenario) -> list[Check]:
    short = []
    finished = None if step.requests_per_s is None else round(step.requests_per_s * step.window.length_s)
    if finished is not None and finished < MIN_COUNTED:
        short.append(f"the rate from {finished} (needs {MIN_COUNTED} for an interval)")
    for limit in scenario.slo.limits():
        n, floor = step.latency(limit.latency).n, SAMPLE_FLOORS.get(limit.percentile)
        if floor is not None and n < floor:
            short.append(f"{limit.latency.upper()} {limit.percentile} from {n} (needs {floor})")
    if not short:
        return []
    return [
        check("too_few_samples", "warning", f"{at(step)} too few requests: {', '.join(short)}", "make step_s longer")
    ]


def _lengths(step: Step, scenario: Scenario) -> list[Check]:
    out = []
    got, asked = step.mean_output_tokens, step.mean_requested_output_tokens
    if scenario.request.force_length and got is not None and asked and _off(got, asked) > OUTPUT_LENGTH_TOLERANCE:
        text = f"{at(step)} answers had {got:.1f} tokens on average, {asked:.1f} were asked for"
        out.append(check("lengths_differ", "warning", text, "this engine cannot be told to ignore end-of-sequence"))
    wanted = _wanted_input(scenario)
    got_in = step.mean_input_tokens
    if wanted and got_in is not None and _off(got_in, wanted) > INPUT_LENGTH_TOLERANCE:
        text = f"{at(step)} prompts had {got_in:.0f} tokens on average, {wanted:.0f} were wanted"
        out.append(check("lengths_differ", "warning", text, "the endpoint's tokenizer could not be asked"))
    return out


def _wanted_input(scenario: Scenario) -> float | None:
    if not isinstance(scenario.prompts, SyntheticPrompts) or isinstance(scenario.load, TraceLoad):
        return None
    length = scenario.prompts.input_tokens
    return float(length if isinstance(length, int) else length.mean)


def _off(got: float, wanted: float) -> float:
    return abs(got - wanted) / wanted


def _cache_hits(step: Step, rows: pd.DataFrame, scenario: Scenario) -> list[Check]:
    cached = step.cached_input_tokens
    prompt_tokens = rows["prompt_tokens"].sum()
    if not cached or not prompt_tokens or scenario.wants_prefix_reuse or cached / prompt_tokens <= CACHE_HIT_TOLERANCE:
        return []
    text = f"{at(step)} {cached / prompt_tokens:.0%} of the prompt tokens came from the server's prefix cache"
    return [check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")]


def _steady(step: Step) -> list[Check]:
    warmup = step.warmup
    if warmup is not None and warmup.settled is False and not step.over_saturated:
        text = f"{at(step)} the time for a token settles nowhere in the first half of the window"
        return [check("not_steady", "warning", text, "the figures mix two states; make step_s or warmup_s longer")]
    if warmup is not None and warmup.found_s is not None and warmup.found_s > warmup.given_s:
        text = (
            f"{at(step)} the server settled {warmup.found_s:.1f} s after the step's start, "
            f"{warmup.given_s:.1f} s of warm-up were given: what came before is left out"
        )
        hint = f"set load.warmup_s to {math.ceil(warmup.found_s)}, and step_s longer by as much"
        return [check("warmup_too_short", "warning", text, hint)]
    if step.drift is None:
        return []
    text = (
        f"{at(step)} the server's speed drifts over {step.drift.memory_s:.0f} s: a window of "
        f"{step.window.length_s:.0f} s shows a part of it"
    )
    hint = f"make step_s longer by {max(step.drift.needed_s - step.window.length_s, 1):.0f} s"
    return [check("not_steady", "warning", text, hint)]


def _single_stream(metrics: Metrics, manifest: RunManifest) -> list[Check]:
    if manifest.engine.get("name") != "llama_cpp_python":
        return []
    if not any((step.load.users or 0) > 1 for step in metrics.steps):
        return []
    text = "llama-cpp-python serves one request at a time: more users only wait longer"
    return [check("single_stream_engine", "warning", text, "llama-server is llama.cpp's batching server")]


def _cut_into_pieces(metrics: Metrics, manifest: RunManifest) -> list[Check]:
    """TGI's router generates longer answers in pieces, each queued and prefilled anew."""
    longest = max((step.mean_requested_output_tokens or 0 for step in metrics.steps), default=0)
    if manifest.backend != "tgi" or longest <= TGI_PIECE_TOKENS:
        return []
    text = f"TGI generates answers of {longest:.0f} tokens in pieces of {TGI_PIECE_TOKENS}, each queued anew"
    return [check("cut_into_pieces", "warning", text, "ask for fewer tokens: the gaps between pieces are TGI's")]


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
    text = f"{len(others)} of {len(served)} token counts are not the server's own but from: {', '.join(sources)}"
    hint = "counts of source unknown are left out of throughput" if "unknown" in sources else None
    return [check("token_source", "error" if len(others) and "unknown" in sources else "warning", text, hint)]


def _clock(client: pd.DataFrame) -> list[Check]:
    if "clock_steps" not in client or not len(client) or not client["clock_steps"].max():
        return []
    text = f"the machine's clock was stepped {client['clock_steps'].max()} times during the run"
    return [check("clock_stepped", "error", text, "arrival times around the steps are wrong; run again")]


def _ended(manifest: RunManifest) -> list[Check]:
    out = []
    ended = manifest.client.get("ended_early")
    if ended:
        out.append(check("ended_early", "error", ended["text"], ended["hint"]))
    elif manifest.partial:
        out.append(check("partial", "warning", "the run was cut short; this is what it had measured", None))
    if manifest.client.get("exact_lengths") is False:
        text = "the endpoint has no tokenizer route: prompt lengths are estimated at 4 characters a token"
        hint = "the server's own prompt count is what is reported"
        out.append(check("estimated_lengths", "warning", text, hint))
    return out


def _nothing(metrics: Metrics, records: pd.DataFrame) -> list[Check]:
    out = []
    if not len(records):
        out.append(check("too_few_samples", "error", "no request was sent", None))
    elif metrics.steps and not metrics.is_judged:
        text = f"no limit could be judged: {_why_not_judged(metrics)}"
        hint = f"make step_s longer: a limit is judged from {MIN_SLO_SAMPLES} requests on"
        out.append(check("not_judged", "error", text, hint))
    elif metrics.goodput is None:
        out.append(check("slo_never_met", "warning", "no load step kept the SLO: infeasible on this box", None))
    elif metrics.goodput.at_most:
        text = f"no load surely kept the SLO: goodput is at most {metrics.goodput.high:.3g} requests/s"
        out.append(check("slo_not_surely_met", "warning", text, "make step_s longer, or begin with a lower load"))
    elif metrics.goodput.at_least:
        text = "the highest load kept the SLO and the rate still grew: the box was not filled, goodput is at least this"
        out.append(check("box_not_filled", "warning", text, _search_hint(metrics)))
    return out


def _why_not_judged(metrics: Metrics) -> str:
    if all(step.failed == step.requests for step in metrics.steps):
        return "every request failed" if any(step.requests for step in metrics.steps) else "no request ended"
    most = max(step.requests for step in metrics.steps)
    return f"the best step has {most} requests" if most < MIN_SLO_SAMPLES else "a latency that is limited is unknown"


def _search_hint(metrics: Metrics) -> str:
    load = max((step.load for step in metrics.steps), key=lambda load: load.size)
    over = "users" if load.users is not None else "requests_per_s"
    return f"load: {{kind: search, over: {over}, low: {load.size:g}, high: {16 * load.size:g}}} finds where it ends"
