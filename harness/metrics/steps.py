"""From records to metrics.json: one window a step, tokens and seconds always from the same window.

Definitions (each request; times in seconds):
    TTFT          first_token - sent        (open loop: - scheduled)
    E2E           finished - sent           (open loop: - scheduled)
    TPOT          (finished - first_token) / tokens that came after the first arrival, none where none did
    ITL           gaps between token arrivals, only where arrivals were kept
    schedule lag  sent - scheduled
Latencies: requests scheduled in the window that did not fail; the load is held until they have ended. Tokens per
second: those that arrived in the window. Requests per second: each with the share of its service that lies in it.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from harness.base.stats import Floats, known, quantiles, summary
from harness.metrics.client_stalls import ClientStall
from harness.metrics.failures import errors_of
from harness.metrics.judging import (
    BROKEN,
    judge_step,
    judged_by_own_load,
    limit_samples,
    rate_over,
    run_goodput,
    within,
)
from harness.metrics.replicas import ONE, Driven, Replicas, by_replica, looked_at, replicas_of
from harness.metrics.saturation import OpenFacts, open_facts, peak_in_flight, usual_s
from harness.metrics.server import ServerSide, server_times
from harness.metrics.slo import nearness
from harness.metrics.steady import settle
from harness.metrics.tasks import tasks_of
from harness.metrics.timeline import timeline_of
from harness.metrics.turns import turns_of
from harness.metrics.windows import Columns, Stamps, Window, columns, output_tokens, served_in
from harness.rundir.arrivals import Arrivals
from harness.rundir.judged import Verdict
from harness.rundir.of_step import DriftOfStep, LimitOfStep, Phases, Summary, Warmup
from harness.rundir.result import WindowOfStep
from harness.rundir.results import Metrics, Step
from harness.rundir.steps import RanStep
from harness.rundir.timeline import Timeline
from harness.scenario import RampLoad, Scenario, SessionPrompts, Slo, TraceLoad


def compute_metrics(
    records: pd.DataFrame,
    steps: Sequence[RanStep],
    scenario: Scenario,
    arrivals: Arrivals | None = None,
    server: ServerSide | None = None,
    driven: Driven = ONE,
    verdicts: Sequence[Verdict] = (),
) -> Metrics:
    """metrics.json without its findings; `server`: what the servers' own pages said, where they were read; `verdicts`:
    of the attempts of a task run.
    """
    data = columns(records, from_schedule=scenario.load.is_open)
    stamps = None if arrivals is None else Stamps(arrivals, arrivals.rows_of(data.request_id))
    replicas = replicas_of(records, data, driven, scenario.request.timeout_s)
    last_s = float(known(np.append(data.finished_s, data.sent_s)).max(initial=0.0))
    out = []
    for ran in steps:
        end_s = last_s if ran.end_s is None else ran.end_s
        window = Window(ran.window_start_s, max(end_s, ran.window_start_s))
        if ran.is_load:
            window, warmup = _after_warmup(ran, data, window, scenario)
            out.append(step_metrics(ran, data, window, scenario, stamps, warmup, server, replicas))
        else:
            out.append(_only_shown(ran, data, window, scenario, stamps))
    loads = looked_at(judged_by_own_load([step for step in out if step.is_load]), driven, scenario.slo.error_rate)
    judged = {step.step: step for step in loads}
    out = [judged.get(step.step, step) for step in out]
    timeline = timeline_of(data, steps, stamps, scenario.request.timeout_s)
    return Metrics(
        steps=tuple(out),
        goodput=run_goodput(loads, scenario.slo.error_rate),
        server=None if server is None else server.said,
        timeline=None if timeline is None else _of_the_server(timeline, driven.stalls),
        tasks=tasks_of(records, verdicts, steps, scenario),
    )


def _only_shown(ran: RanStep, data: Columns, window: Window, scenario: Scenario, stamps: Stamps | None) -> Step:
    """A later round of tasks: few requests of those that failed before, maybe elsewhere. Neither judged nor priced."""
    warmup = Warmup(given_s=window.start_s - ran.start_s)
    step = step_metrics(ran, data, window, scenario, stamps, warmup, server=None, replicas=None)
    unjudged = dict.fromkeys(("slo_met", "goodput_requests_per_s", "goodput_low", "goodput_high", "drift", "void"))
    return step.model_copy(update={**unjudged, "slo_verdict": "not_judged", "over_saturated": None, "given_up": False})


def _of_the_server(timeline: Timeline, stalls: Sequence[ClientStall]) -> Timeline:
    """The timeline without the stalls that were the client's own."""
    servers = [
        stall
        for stall in timeline.stalls
        if not any(own.start_s < stall.end_s and own.end_s > stall.start_s for own in stalls)
    ]
    return timeline.model_copy(update={"stalls": tuple(servers)})


def _after_warmup(ran: RanStep, data: Columns, window: Window, scenario: Scenario) -> tuple[Window, Warmup]:
    """The window without the warm-up that its own requests show beyond the one given; a ramp and a log have none.

    A failure is no warm-up: a window never moves past one, and stays where it was asked for instead.
    """
    window = _of_its_own_load(ran, data, window)
    given_s = window.start_s - ran.start_s
    timed = data.due_in(window) & data.ok & ~np.isnan(data.e2e_s)
    if isinstance(scenario.load, RampLoad | TraceLoad) or not timed.any():
        return window, Warmup(given_s=given_s)
    start_s, settled = settle(data.scheduled_s[timed], data.e2e_s[timed], data.output_tokens[timed], window.start_s)
    if _fails_before(start_s, data, window):
        return window, Warmup(given_s=given_s, settled=False)
    found_s = start_s - ran.start_s if settled else None
    return replace(window, start_s=start_s), Warmup(given_s=given_s, found_s=found_s, settled=settled)


def _fails_before(start_s: float, data: Columns, window: Window) -> bool:
    """Whether a request of the window that was due before `start_s` failed."""
    return bool((data.failed & data.due_in(window) & (data.scheduled_s < start_s)).any())


def _of_its_own_load(ran: RanStep, data: Columns, window: Window) -> Window:
    """The window from where all that was under way when the last user came has ended, in its first half at the latest.

    What began under fewer users was served faster for a while: evenly spread over its service it looks like a rate that
    falls.
    """
    if ran.entered_s is None:
        return window
    early = (data.sent_s < ran.entered_s) & (data.ended_s < window.end_s)
    own_s = float(data.ended_s[early].max(initial=window.start_s))
    own_s = min(max(own_s, window.start_s), (window.start_s + window.end_s) / 2)
    return window if _fails_before(own_s, data, window) else replace(window, start_s=own_s)


def step_metrics(
    ran: RanStep,
    data: Columns,
    window: Window,
    scenario: Scenario,
    stamps: Stamps | None,
    warmup: Warmup,
    server: ServerSide | None,
    replicas: Replicas | None,
) -> Step:
    """One step of metrics.json."""
    scheduled = data.due_in(window)
    timed = scheduled & data.ok
    requests = int((scheduled & (data.ok | data.failed)).sum())
    failed = int((scheduled & data.failed).sum())
    latencies = {
        "ttft": _summary(data.ttft_s[timed]),
        "tpot": _summary(data.tpot_s[timed]),
        "e2e": _summary(data.e2e_s[timed]),
    }
    samples = limit_samples(data, timed, scenario.slo.limits())
    refused = {kind: int((scheduled & which).sum()) for kind, which in data.refused.items()}
    slo, void = judge_step(requests, failed, refused, list(samples.values()), scenario.slo.error_rate)
    facts = _open_facts(ran, data, window, scenario) if scenario.load.is_open else OpenFacts()
    if facts.over_saturated or _drops(facts, requests, scenario.slo) or ran.given_up or ran.lost:
        slo, void = BROKEN, None  # it would not last, is not the load asked for, or what was under way would fail it
    input_per_s, output_per_s = _tokens_per_s(data, window, stamps)
    served = rate_over(data, window, data.ok, ran, scenario)
    good = rate_over(data, window, within(data, scenario.slo.limits()), ran, scenario)
    step = Step(
        step=ran.step,
        round=ran.round,
        role=ran.role,
        load=ran.load,
        window=WindowOfStep(start_s=window.start_s, end_s=window.end_s),
        requests=requests,
        failed=failed,
        errors=errors_of(data.error[scheduled & data.failed], data.error_detail[scheduled & data.failed]),
        refused=sum(refused.values()),
        phases=phases(ran, window),
        requests_per_s=None if served is None else served.per_s,
        input_tokens_per_s=input_per_s,
        output_tokens_per_s=output_per_s,
        ttft_s=latencies["ttft"],
        tpot_s=latencies["tpot"],
        itl_s=None if stamps is None else _summary(stamps.arrivals.gaps_s(stamps.rows[timed])),
        e2e_s=latencies["e2e"],
        ttft_quantiles_s=quantiles(known(data.ttft_s[timed])),
        tpot_quantiles_s=quantiles(known(data.tpot_s[timed])),
        schedule_lag_s=_summary((data.sent_s - data.scheduled_s)[scheduled]),
        peak_in_flight=peak_in_flight(data.sent_s, data.ended_s, (window.start_s, window.end_s)),
        slo_met=slo.met,
        slo_verdict=slo.verdict,
        limits={key: LimitOfStep(**asdict(nearness(sample, failed))) for key, sample in samples.items()},
        offered_requests_per_s=facts.offered_requests_per_s,
        sent_requests_per_s=facts.sent_requests_per_s,
        not_sent=facts.not_sent,
        over_saturated=facts.over_saturated,
        queue_at_start=facts.queue_at_start,
        given_up=ran.given_up or ran.lost,
        goodput_requests_per_s=None if good is None else good.per_s,
        goodput_low=None if good is None else good.low,
        goodput_high=None if good is None else good.high,
        drift=None if good is None or good.drift is None else DriftOfStep(**asdict(good.drift)),
        mean_input_tokens=_mean(data.prompt_tokens[timed]),
        mean_output_tokens=_mean(data.output_tokens[timed]),
        mean_requested_output_tokens=_mean(data.requested_tokens[timed]),
        cached_input_tokens=_sum(data.cached_tokens[timed]),
        turns=turns_of(data, timed) if isinstance(scenario.prompts, SessionPrompts) else None,
        warmup=warmup,
        server_times=server_times(data, timed),
        server=None if server is None else server.account(window, data),
        gpu=None if server is None else server.gpu(window, output_per_s),
        replicas=() if replicas is None else by_replica(replicas, data, window, stamps),
    )
    return step if void is None else step.voided(void)


def _open_facts(ran: RanStep, data: Columns, window: Window, scenario: Scenario) -> OpenFacts:
    tokens = np.where(np.isnan(data.output_tokens), data.requested_tokens, data.output_tokens)
    facts = open_facts(
        data.scheduled_s,
        data.sent_s,
        data.ended_s,
        usual_s(data.ttft_s[data.ok], data.tpot_s[data.ok], data.e2e_s[data.ok], tokens),
        (window.start_s, window.end_s),
        is_even=not isinstance(scenario.load, RampLoad | TraceLoad),
    )
    return replace(facts, over_saturated=ran.over_saturated or bool(facts.over_saturated))


def _drops(facts: OpenFacts, requests: int, slo: Slo) -> bool:
    """Whether more arrivals were dropped than may fail."""
    dropped = facts.not_sent or 0
    return dropped > slo.error_rate * max(requests + dropped, 1)


def phases(ran: RanStep, window: Window) -> Phases:
    """When each phase of a step began and ended."""
    entered_s = ran.start_s if ran.entered_s is None else ran.entered_s
    return Phases(
        enter=WindowOfStep(start_s=ran.start_s, end_s=entered_s),
        warmup=WindowOfStep(start_s=entered_s, end_s=window.start_s),
        window=WindowOfStep(start_s=window.start_s, end_s=window.end_s),
        hold=None if ran.held_s is None else WindowOfStep(start_s=window.end_s, end_s=ran.held_s),
        drained_s=ran.drained_s,
        bound=ran.hold_bound,
        cut=ran.cut,
    )


def _tokens_per_s(data: Columns, window: Window, stamps: Stamps | None) -> tuple[float | None, float | None]:
    """Input and output tokens per second of the window; None without a window."""
    if window.length_s <= 0:
        return None, None
    served = served_in(data, window)
    prompt_seen_s = np.where(np.isnan(data.first_s), data.finished_s, data.first_s)
    prompts = window.holds(prompt_seen_s) & served
    return _per_s(data.prompt_tokens[prompts], window), output_tokens(data, served, window, stamps) / window.length_s


def _summary(values: Floats) -> Summary:
    return Summary(**summary(known(values)))


def _mean(values: Floats) -> float | None:
    told = known(values)
    return float(told.mean()) if len(told) else None


def _sum(values: Floats) -> float | None:
    told = known(values)
    return float(told.sum()) if len(told) else None


def _per_s(tokens: Floats, window: Window) -> float | None:
    """Tokens per second; None when a count is missing, because a partial sum is no throughput."""
    if len(tokens) and np.isnan(tokens).any():
        return None
    return float(tokens.sum()) / window.length_s
