"""Is the measurement to be trusted? Checks return data; the report renders it, the exit code follows it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.backends.faults import THE_LIMIT, hint_for
from harness.base.stats import SAMPLE_FLOORS
from harness.checks.answers import answer_checks, stream_checks
from harness.checks.client import client_checks, client_stall_checks
from harness.checks.driven import driven_checks
from harness.checks.finding import at, check, longer
from harness.checks.imported import imported_checks
from harness.checks.lengths import length_checks, unfit_checks
from harness.checks.load import INHERITED_HINT, load_checks, lost_checks, open_checks
from harness.checks.phases import phase_checks, stall_checks
from harness.checks.replicas import replica_run_checks, replica_step_checks
from harness.checks.server import server_run_checks, server_step_checks
from harness.checks.tasks import task_checks
from harness.checks.turns import turn_checks
from harness.metrics.rate import MIN_COUNTED
from harness.metrics.replicas import driven_of
from harness.metrics.server import ServerSide
from harness.rundir.manifest import RunManifest
from harness.rundir.records import NOT_FAILURES
from harness.rundir.result import Check, Level
from harness.rundir.results import MIN_SLO_SAMPLES, Metrics, Step
from harness.scenario import Scenario, TaskPrompts

CACHE_HIT_TOLERANCE = 0.01
_TASKS_HINT = (
    f"goodput, and with it the box's price of a task, takes {MIN_SLO_SAMPLES} tasks of the first round in its window: "
    "ask some more than that; repeats hold the load and are in no figure"
)
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
    return metrics.with_checks(of_steps, list(_run_checks(metrics, measured)))


def _step_checks(step: Step, metrics: Metrics, measured: Measured) -> list[Check]:
    if step.load.is_silence:
        return []
    scenario = measured.scenario
    is_goodput = metrics.goodput is not None and metrics.goodput.requests_per_s is not None
    rows = _within(measured.records, step, "scheduled_s")
    driven = driven_of(measured.manifest, measured.client)
    pages = measured.server.pages
    is_rate_limited = measured.manifest.driven is not None and measured.manifest.driven.is_rate_limited
    of_client = _within(measured.client, step, "t_s")
    users_wait = scenario.think_time_s > 0 or is_rate_limited
    if not step.is_load:  # a later round of tasks: few are left, maybe for another endpoint
        return [
            *client_checks(step, of_client, users_wait=users_wait),
            *client_stall_checks(step, driven.stalls),
            *_errors(step, rows, scenario, is_goodput=is_goodput),
            *stream_checks(step, rows),
            *lost_checks(step, driven.lost_s),
        ]
    return [
        *client_checks(step, of_client, users_wait=users_wait),
        *client_stall_checks(step, driven.stalls),
        *_errors(step, rows, scenario, is_goodput=is_goodput),
        *open_checks(step, is_goodput=is_goodput, is_rate_limited=is_rate_limited),
        *([] if step.was_refused else _too_few(step, scenario)),
        *length_checks(step, scenario, measured.manifest),
        *stream_checks(step, rows),
        *_cache_hits(step, rows, scenario),
        *([] if step.was_refused else _steady(step)),
        *phase_checks(step, rows, scenario, is_rate_limited=is_rate_limited),
        *turn_checks(step, scenario, measured.manifest, counts=step is metrics.decisive),
        *replica_step_checks(step),
        *lost_checks(step, driven.lost_s),
        *stall_checks(step, () if metrics.timeline is None else metrics.timeline.stalls),
        *server_step_checks(step, None if pages is None else pages.catalogue),
    ]


def _run_checks(metrics: Metrics, measured: Measured) -> Iterator[Check]:
    records, manifest = measured.records, measured.manifest
    yield from _engine(metrics, manifest)
    yield from _token_source(records)
    yield from answer_checks(records)
    yield from _clock(measured.client)
    yield from _other_model(records, manifest)
    yield from imported_checks(manifest.imported) if manifest.imported is not None else ()
    yield from load_checks(measured.scenario.load.kind, manifest.client)
    yield from replica_run_checks(metrics)
    yield from _ended(manifest, measured.scenario)
    yield from driven_checks(manifest.driven)
    yield from unfit_checks(manifest)
    yield from goodput_checks(metrics, records)
    yield from task_checks(metrics.tasks)
    yield from measured.impossible
    yield from server_run_checks(measured.server.pages, manifest.engine.get("version"))


def worst_level(checks: Sequence[Check]) -> Level | None:
    """error, warning, or None when there is no finding."""
    levels = {found.level for found in checks}
    return "error" if "error" in levels else "warning" if levels else None


def _within(frame: pd.DataFrame, step: Step, column: str) -> pd.DataFrame:
    if column not in frame:
        return frame.iloc[:0]
    return frame[(frame[column] >= step.window.start_s) & (frame[column] < step.window.end_s)]


def _errors(step: Step, rows: pd.DataFrame, scenario: Scenario, *, is_goodput: bool) -> Iterator[Check]:
    if not step.requests:
        text = f"{at(step)} no request began and ended: nothing was measured"
        yield check("too_few_samples", "warning" if is_goodput else "error", text, longer(step))
    elif step.failed / step.requests > scenario.slo.error_rate:
        failures = rows[rows["error"].notna() & ~rows["error"].isin(NOT_FAILURES)]
        kinds = failures["error"].value_counts()
        shown = ", ".join(f"{count}x {kind}" for kind, count in kinds.head(3).items())
        details = failures[failures["error"] == kinds.index[0]]["error_detail"].dropna()
        detail = details.iloc[0] if len(details) else None
        text = f"{at(step)} {step.failed} of {step.requests} requests failed ({shown})"
        if detail is not None:
            words, mark, its_limit = detail.partition(THE_LIMIT)
            text += f": {words[:120]}{mark}{its_limit}"
        if step.was_refused and step.void is not None:
            text += f". {step.void[:1].upper()}{step.void[1:]}: not judged, no capacity measured"
        # overload at a step above the goodput is what a ladder looks for; below it the run is broken
        level: Level = "warning" if is_goodput and (step.was_refused or step.failed < step.requests) else "error"
        limit = f"the limit is {scenario.slo.error_rate:.1%} (`slo.error_rate`)"
        yield check("errors_over_limit", level, text, hint_for(kinds.index[0], detail) or limit)


def _too_few(step: Step, scenario: Scenario) -> Iterator[Check]:
    short = []
    finished = None if step.requests_per_s is None else round(step.requests_per_s * step.window.length_s)
    if finished is not None and finished < MIN_COUNTED:
        short.append(f"the rate from {finished} (needs {MIN_COUNTED} for an interval)")
    for limit in scenario.slo.limits() if step.verdict not in ("yes", "no") else ():
        n, floor = step.latency(limit.latency).n, SAMPLE_FLOORS.get(limit.percentile)
        if floor is not None and n < floor:
            short.append(f"{limit.latency.upper()} {limit.percentile} from {n} (needs {floor})")
    if short:
        text = f"{at(step)} too few requests: {', '.join(short)}"
        yield check("too_few_samples", "warning", text, longer(step))


def _cache_hits(step: Step, rows: pd.DataFrame, scenario: Scenario) -> Iterator[Check]:
    cached, prompt_tokens = step.cached_input_tokens, rows["prompt_tokens"].sum()
    if not cached or not prompt_tokens or scenario.wants_prefix_reuse:
        return
    if cached / prompt_tokens > CACHE_HIT_TOLERANCE:
        text = f"{at(step)} {cached / prompt_tokens:.0%} of the prompt tokens came from the server's prefix cache"
        yield check("prefix_cache_hits", "warning", text, "throughput looks better than fresh prompts would give")


def _steady(step: Step) -> Iterator[Check]:
    warmup = step.warmup
    if warmup is not None and warmup.settled is False and not step.over_saturated:
        text = f"{at(step)} the time for a token settles nowhere in the first half of the window"
        yield check("not_steady", "warning", text, f"the figures mix two states; {longer(step)}, or warmup_s")
    elif warmup is not None and warmup.found_s is not None and warmup.found_s > warmup.given_s:
        text = (
            f"{at(step)} the server settled {warmup.found_s:.1f} s after the step's start, "
            f"{warmup.given_s:.1f} s of warm-up were given: what came before is left out"
        )
        hint = f"set load.warmup_s to {math.ceil(warmup.found_s)}, and {longer(step, ' by as much')}"
        yield check("warmup_too_short", "warning", text, hint)
    elif step.drift is not None:
        text = (
            f"{at(step)} the server's speed drifts over {step.drift.memory_s:.0f} s: a window of "
            f"{step.window.length_s:.0f} s shows a part of it"
        )
        by_s = max(step.drift.needed_s - step.window.length_s, 1)
        yield check("not_steady", "warning", text, longer(step, f" by {by_s:.0f} s"))


def _engine(metrics: Metrics, manifest: RunManifest) -> Iterator[Check]:
    """What an engine is known not to do. TGI's router generates longer answers in pieces, each prefilled anew."""
    if manifest.engine.get("name") == "llama_cpp_python" and any((step.load.users or 0) > 1 for step in metrics.loads):
        text = "llama-cpp-python serves one request at a time: more users only wait longer"
        yield check("single_stream_engine", "warning", text, "llama-server is llama.cpp's batching server")
    longest = max((step.mean_requested_output_tokens or 0 for step in metrics.loads), default=0)
    if manifest.backend == "tgi" and longest > TGI_PIECE_TOKENS:
        text = f"TGI generates answers of {longest:.0f} tokens in pieces of {TGI_PIECE_TOKENS}, each queued anew"
        yield check("cut_into_pieces", "warning", text, "ask for fewer tokens: the gaps between pieces are TGI's")


def _other_model(records: pd.DataFrame, manifest: RunManifest) -> Iterator[Check]:
    """An endpoint that lists one model answers for that one, whatever it was asked for."""
    served = manifest.client.get("served_models") or []
    if served and manifest.model not in (*served, "tgi") and records["error"].isna().any():
        listed = ", ".join(served[:3])
        text = f"the endpoint answered for `{manifest.model}`, which it does not list: it serves {listed}"
        hint = f"unless that is an alias, the figures are another model's: --model {served[0]}"
        yield check("other_model", "warning", text, hint)


def _token_source(records: pd.DataFrame) -> Iterator[Check]:
    served = records[records["error"].isna()]
    others = served[served["token_source"] != "server"]
    if len(others):
        sources = sorted(set(others["token_source"]))
        text = f"{len(others)} of {len(served)} token counts are not the server's own but from: {', '.join(sources)}"
        hint = "counts of source unknown are left out of throughput" if "unknown" in sources else None
        yield check("token_source", "error" if "unknown" in sources else "warning", text, hint)


def _clock(client: pd.DataFrame) -> Iterator[Check]:
    if "clock_steps" in client and len(client) and client["clock_steps"].max() > 0:
        text = f"the machine's clock was stepped {client['clock_steps'].max():.0f} times during the run"
        yield check("clock_stepped", "error", text, "arrival times around the steps are wrong; run again")


def _ended(manifest: RunManifest, scenario: Scenario) -> Iterator[Check]:
    ended = manifest.client.get("ended_early")
    if ended:
        yield check("ended_early", "error", ended["text"], ended["hint"])
    elif manifest.partial:
        yield _partial(manifest.client.get("cut_short"))
    if manifest.client.get("exact_lengths") is False and not isinstance(scenario.prompts, TaskPrompts):
        text = "the endpoint told no tokens beforehand: prompt lengths are estimated at 4 characters a token"
        yield check("estimated_lengths", "warning", text, "the server's own prompt count is what is reported")


def _partial(cut_short: str | None) -> Check:
    """A run that is not whole; `cut_short`: why, where it came to its end and said so."""
    if cut_short is not None:
        return check("partial", "warning", f"the run was cut short ({cut_short}); this is what it had measured")
    text = "the run has not said how it ended: it was cut short or killed, could not write, or still goes on"
    return check("partial", "error", text, "wait until it has ended, or run it again: what is missing is not known")


def goodput_checks(metrics: Metrics, records: pd.DataFrame) -> Iterator[Check]:
    """What stands in the way of a goodput, or of both its ends."""
    goodput = metrics.goodput
    if not len(records):
        yield check("too_few_samples", "error", "no request of the load was sent")
    elif any(step.void is not None for step in metrics.loads) and not metrics.is_judged:
        return  # the steps have said why
    elif metrics.loads and not metrics.is_judged:
        text = f"no limit could be judged: {metrics.why_not_judged}"
        hint = f"a limit is judged from {MIN_SLO_SAMPLES} requests on that did not all fail"
        if metrics.has_inherited_queues:
            text, hint = f"no goodput can be told: {metrics.why_not_judged}", INHERITED_HINT
        if metrics.tasks is not None and metrics.tasks.judged:
            yield check("not_judged", "warning", f"{text}; the success rate does not depend on it", _TASKS_HINT)
        else:
            yield check("not_judged", "error", text, hint)
    elif goodput is None:
        yield check("slo_never_met", "warning", "no load step kept the SLO: infeasible on this box")
    elif goodput.at_most:
        text = f"no load surely kept the SLO: goodput is at most {goodput.high:.3g} requests/s"
        yield check("slo_not_surely_met", "warning", text, f"{longer(metrics.loads[0])}, or begin with a lower load")
    elif goodput.at_least:
        text = "the highest load kept the SLO and the rate still grew: the box was not filled, goodput is at least this"
        refused = any(step.was_refused for step in metrics.loads)
        hint = "what refused the requests of the higher loads says nothing of it" if refused else _search_hint(metrics)
        yield check("box_not_filled", "warning", text, hint)


def _search_hint(metrics: Metrics) -> str:
    """The search that goes on from the highest load: whole users, and of a replayed log by what it served."""
    if metrics.tasks is not None:
        return "a task run has one load: drive the same tasks with more users, or at a higher rate"
    highest = max(metrics.loads, key=lambda step: step.load.size)
    over, low = "requests_per_s", highest.load.requests_per_s or float(f"{highest.requests_per_s or 1:.2g}")
    if highest.load.users is not None:
        over, low = "users", math.ceil(highest.load.users)
    return f"load: {{kind: search, over: {over}, low: {low:g}, high: {16 * low:g}}} finds where it ends"
