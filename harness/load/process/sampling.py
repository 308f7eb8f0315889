"""The load process watches itself: CPU, loop lag, requests in flight; once a second to disk and to the parent."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import gevent
import psutil

from harness.load.protocol import Live, Sample
from harness.load.wire.clock import RunClock
from harness.load.wire.sender import Sender
from harness.load.wire.totals import last_seconds
from harness.rundir.recorder import Recorder

LAG_PROBE_S = 0.02  # the loop-lag probe's own period
SAMPLE_S = 1.0

Say = Callable[[Live], None]


def watch_self(
    sender: Sender,
    clock: RunClock,
    recorder: Recorder,
    asked: Callable[[], int | None],
    say: Say,
    late_after_s: float | None,
) -> None:
    """Sample for ever: a row of client.parquet, and a `Live` for the display.

    `asked` says how many requests in flight this process is meant to have. `late_after_s`: who waits for a first token
    for longer is told of; None: nobody wants to know.
    """
    process = psutil.Process()
    process.cpu_percent()
    previous, closed_before, tokens_before = replace(sender.live), _found_closed(sender), sender.tokens()
    while True:
        lags = _loop_lags()
        clock.resample()
        live = sender.live
        sample = Sample(
            t_s=clock.now_s(),
            process=sender.process,
            cpu=process.cpu_percent() / 100,
            loop_lag_p50_s=statistics.median(lags),
            loop_lag_max_s=max(lags),
            schedule_lag_max_s=live.late_s,
            in_flight=live.in_flight,
            asked=asked(),
            events=live.events - previous.events,
            shared_events=live.shared_events - previous.shared_events,
            connections=sum(t.connections for t in sender.fleet.targets),
            clock_steps=clock.steps,
            found_closed=_found_closed(sender) - closed_before,
        )
        closed_before += sample.found_closed
        live.late_s = 0.0
        recorder.client.add(asdict(sample))
        waiting = sender.waiting(late_after_s) if late_after_s is not None else []
        tokens = max(sender.tokens(), tokens_before)  # one that just ended may be in neither sum
        say(_live(sample, sender, tokens - tokens_before, waiting))
        previous, tokens_before = replace(live), tokens


def _found_closed(sender: Sender) -> int:
    return sum(target.found_closed for target in sender.fleet.targets)


def _live(sample: Sample, sender: Sender, tokens: int, waiting: list[tuple[str, float, float]]) -> Live:
    now = sender.live
    ttft_s, tpot_s = last_seconds(sender.first_tokens(), sample.t_s), last_seconds(now.tpot, sample.t_s)
    return Live(
        **asdict(sample),
        sent=now.sent,
        finished=now.finished,
        failed=now.failed,
        not_sent=now.not_sent,
        refused=now.refused,
        unreachable=now.unreachable,
        unreachable_s=sample.t_s - now.unreachable_since_s if now.unreachable else 0.0,
        last_error=now.last_error,
        output_tokens=tokens,
        ttft_p50_s=_at(ttft_s, 0.5),
        ttft_p99_s=_at(ttft_s, 0.99),
        ttft_max_s=_at(ttft_s, 1.0),
        tpot_p50_s=_at(tpot_s, 0.5),
        tpot_p99_s=_at(tpot_s, 0.99),
        errors=dict(now.errors),
        e2e_p50_s=statistics.median(now.e2e_s) if now.e2e_s else None,
        waiting=waiting,
    )


def _at(ordered: list[float], share: float) -> float | None:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None


def _loop_lags() -> list[float]:
    lags: list[float] = []
    end = time.monotonic() + SAMPLE_S
    while not lags or time.monotonic() < end:
        before = time.monotonic()
        gevent.sleep(LAG_PROBE_S)
        lags.append(time.monotonic() - before - LAG_PROBE_S)
    return lags
