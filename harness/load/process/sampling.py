"""The load process watches itself: CPU, loop lag, requests in flight; once a second to disk and to the parent."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
import psutil

from harness.load.wire.clock import RunClock
from harness.load.wire.sender import Live, Sender
from harness.rundir.recorder import Recorder

LAG_PROBE_S = 0.02  # the loop-lag probe's own period
SAMPLE_S = 1.0

Emit = Callable[[dict[str, Any]], None]


def watch_self(
    sender: Sender, clock: RunClock, recorder: Recorder, asked: Callable[[], int | None], emit: Emit
) -> None:
    """Sample for ever: a row of client.parquet, and a `live` event for the display.

    `asked` says how many requests in flight this process is meant to have; None: an open load, as many as come.
    A search over users is told who waits for a first token; nobody else needs it.
    """
    process = psutil.Process()
    process.cpu_percent()
    previous = replace(sender.live)
    while True:
        lags = _loop_lags()
        clock.resample()
        live = sender.live
        sample = {
            "t_s": clock.now_s(),
            "process": sender.process,
            "cpu": process.cpu_percent() / 100,  # of one core
            "loop_lag_p50_s": statistics.median(lags),
            "loop_lag_max_s": max(lags),
            "schedule_lag_max_s": live.late_s,
            "in_flight": live.in_flight,
            "asked": asked(),
            "events": live.events - previous.events,  # of requests that ended since the last sample
            "shared_events": live.shared_events - previous.shared_events,
            "connections": sum(t.connections for t in sender.targets),
            "clock_steps": clock.steps,
        }
        live.late_s = 0.0
        recorder.client.add(sample)
        emit(sample | _progress(sender, previous, clock.now_s()))
        previous = replace(live)


def _progress(sender: Sender, previous: Live, now_s: float) -> dict[str, Any]:
    """What a `live` event has besides; `previous` is how it stood at the last one."""
    live = sender.live
    ttft_s = sorted(live.ttft_s)
    return {
        "sent": live.sent,
        "finished": live.finished,
        "failed": live.failed,
        "not_sent": live.not_sent,
        "refused": live.refused,
        "unreachable": live.unreachable,
        "unreachable_s": now_s - live.unreachable_since_s if live.unreachable else 0.0,
        "last_error": live.last_error,
        "waiting": sender.waiting() if sender.tells_waits else [],
        "output_tokens": live.token_events - previous.token_events,
        "ttft_p50_s": ttft_s[len(ttft_s) // 2] if ttft_s else None,
        "ttft_max_s": ttft_s[-1] if ttft_s else None,
    }


def _loop_lags() -> list[float]:
    lags: list[float] = []
    end = time.monotonic() + SAMPLE_S
    while not lags or time.monotonic() < end:
        before = time.monotonic()
        gevent.sleep(LAG_PROBE_S)
        lags.append(time.monotonic() - before - LAG_PROBE_S)
    return lags
