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
from harness.load.wire.totals import Totals
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
    previous, closed_before = replace(sender.live), _found_closed(sender)
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
        say(_live(sample, live, previous, waiting))
        previous = replace(live)


def _found_closed(sender: Sender) -> int:
    return sum(target.found_closed for target in sender.fleet.targets)


def _live(sample: Sample, now: Totals, before: Totals, waiting: list[tuple[str, float, float]]) -> Live:
    ttft_s = sorted(now.ttft_s)
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
        output_tokens=now.token_events - before.token_events,
        ttft_p50_s=ttft_s[len(ttft_s) // 2] if ttft_s else None,
        ttft_max_s=ttft_s[-1] if ttft_s else None,
        e2e_p50_s=statistics.median(now.e2e_s) if now.e2e_s else None,
        waiting=waiting,
    )


def _loop_lags() -> list[float]:
    lags: list[float] = []
    end = time.monotonic() + SAMPLE_S
    while not lags or time.monotonic() < end:
        before = time.monotonic()
        gevent.sleep(LAG_PROBE_S)
        lags.append(time.monotonic() - before - LAG_PROBE_S)
    return lags
