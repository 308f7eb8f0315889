"""The load process: `python -m harness.load.child`, plan on stdin, events as JSON lines on stdout.

It runs Locust, and is a process of its own because importing Locust patches the whole interpreter.
It ends when its standard input closes (its parent is gone), on SIGTERM, or when the load is done.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import orjson
import psutil
from locust.env import Environment

from harness.backends import BACKENDS
from harness.errors import BreakevenError
from harness.load.clock import RunClock
from harness.load.identify import Identity, identify
from harness.load.plan import LoadPlan
from harness.load.prompts import PromptSource
from harness.load.recorder import FLUSH_S, Recorder
from harness.load.sender import Sender
from harness.load.tokenizer import EndpointTokenizer, build_vocabulary
from harness.load.transport import Target
from harness.load.users import ClosedGate, closed_user
from harness.scenario import Scenario

DRAIN_S = 30.0  # requests in flight after the last step get min(timeout_s, this)
LAG_PROBE_S = 0.02  # the loop-lag probe's own period
SAMPLE_S = 1.0
COUNT_AFTERWARDS_S = 120.0  # for answers whose tokens the server did not count
BUSY_TIMEOUT_S = 60.0
SPAWN_RATE = 1000.0


def emit(event: str, **facts: Any) -> None:
    """One event line for the parent."""
    os.write(1, orjson.dumps({"event": event, **facts}, option=orjson.OPT_APPEND_NEWLINE))


class LoadProcess:
    """One load process from plan to last row."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.scenario = Scenario.model_validate(plan.scenario)
        self.clock = RunClock(plan.started_monotonic_ns)
        self.recorder = Recorder(Path(plan.run_dir), keep_arrivals=plan.keep_arrivals)
        self.wire = BACKENDS[plan.backend]
        self.sender = Sender(plan, self.scenario, self.wire, self.clock, self.recorder)
        self.sender.targets = [Target(url, _headers(plan), ca_file=plan.ca_file) for url in plan.urls]
        self.stop = gevent.event.Event()
        self.interrupted = False
        self.write_error: OSError | None = None
        self.tokenizer = EndpointTokenizer(
            self.sender.targets[0],
            self.clock,
            self.wire,
            plan.model,
            min(5.0, self.scenario.request.timeout_s),
        )

    def run(self) -> None:
        """Prepare, load, drain, count; every row that was seen is on disk at the end."""
        self._prepare()
        gate = self._gate()
        watchers = [gevent.spawn(job) for job in (self._flush_often, self._sample, self._watch_parent)]
        environment = Environment(user_classes=[closed_user(gate)])
        runner = environment.create_local_runner()
        gc.collect()
        gc.freeze()  # what is there now stays: no collection pauses over it
        try:
            self._steps(gate, runner)
            gate.close()
            self._drain()
        finally:
            gate.close()
            runner.quit()
            gevent.killall(watchers)
            self._count_afterwards()
            self._close()

    def _prepare(self) -> None:
        plan = self.plan
        identity = Identity(model=plan.model)
        if not plan.known_engine:
            emit("doing", text=f"asking {plan.urls[0]} who it is")
            for target in self.sender.targets[1:]:
                identify(target, self.clock, self.scenario.request.timeout_s)
            identity = identify(self.sender.targets[0], self.clock, self.scenario.request.timeout_s)
        self.sender.model = self.tokenizer.model = plan.model or identity.model
        emit("doing", text="asking its tokenizer for words of one token")
        self.tokenizer.find()
        self.vocabulary = build_vocabulary(self.tokenizer)
        emit(
            "prepared",
            model=self.sender.model,
            engine=identity.engine,
            has_metrics=identity.has_metrics,
            tokenizer=self.tokenizer.path,
            exact_lengths=self.vocabulary.exact,
        )

    def _gate(self) -> ClosedGate:
        prompts = PromptSource(
            self.scenario.prompts, self.scenario.seed, self.vocabulary, Path(self.plan.base_dir)
        )
        return ClosedGate(self.sender, prompts, self.plan.run_id, self.scenario.load.think_time_s)

    def _steps(self, gate: ClosedGate, runner: Any) -> None:
        load = self.scenario.load
        for step, users in enumerate(load.users):
            start_s = self.clock.now_s()
            gate.open(step, users)
            if users > gate.joined:
                runner.start(users, spawn_rate=max(SPAWN_RATE, users))
            facts = {
                "step": step,
                "load": {"kind": "closed", "users": users},
                "start_s": start_s,
                "window_start_s": start_s + load.warmup_s,
                "end_s": None,
            }
            self.recorder.steps.add(facts)
            emit("step", **facts | {"planned_end_s": start_s + load.step_s})
            self.stop.wait(load.step_s)
            self.recorder.steps.add({"step": step, "end_s": self.clock.now_s()})
            if self.stop.is_set():
                return

    def _drain(self) -> None:
        deadline_s = self.clock.now_s() + min(self.scenario.request.timeout_s, DRAIN_S)
        if self.sender.live.in_flight:
            emit("doing", text=f"waiting for {self.sender.live.in_flight} requests under way")
        while self.sender.live.in_flight and not self.interrupted and self.clock.now_s() < deadline_s:
            gevent.sleep(0.02)

    def end(self) -> None:
        """SIGTERM or a vanished parent: cut what is under way, keep every row."""
        self.interrupted = True
        self.stop.set()

    def _flush_often(self) -> None:
        while True:
            gevent.sleep(FLUSH_S)
            try:
                self.recorder.flush()
            except OSError as error:
                self.write_error = error
                self.end()
                return

    def _watch_parent(self) -> None:
        gevent.socket.wait_read(0)  # type: ignore[attr-defined]  # the parent writes nothing after the plan: readable means closed
        self.end()

    def _sample(self) -> None:
        process = psutil.Process()
        process.cpu_percent()
        previous_events = 0
        while True:
            lags = self._loop_lags()
            self.clock.resample()
            live = self.sender.live
            sample = {
                "t_s": self.clock.now_s(),
                "process": os.getpid(),
                "cpu": process.cpu_percent() / 100,  # of one core
                "loop_lag_p50_s": statistics.median(lags),
                "loop_lag_max_s": max(lags),
                "in_flight": live.in_flight,
                "connections": sum(t.connections for t in self.sender.targets),
                "clock_steps": self.clock.steps,
            }
            self.recorder.client.add(sample)
            ttft = sorted(live.ttft_s)
            emit(
                "live",
                **sample,
                sent=live.sent,
                finished=live.finished,
                failed=live.failed,
                last_error=live.last_error,
                output_tokens=live.token_events - previous_events,
                ttft_p50_s=ttft[len(ttft) // 2] if ttft else None,
                ttft_max_s=ttft[-1] if ttft else None,
            )
            previous_events = live.token_events

    def _loop_lags(self) -> list[float]:
        lags: list[float] = []
        end = time.monotonic() + SAMPLE_S
        while not lags or time.monotonic() < end:
            before = time.monotonic()
            gevent.sleep(LAG_PROBE_S)
            lags.append(time.monotonic() - before - LAG_PROBE_S)
        return lags

    def _count_afterwards(self) -> None:
        try:
            self.recorder.texts.flush()
        except OSError:
            return
        path = self.recorder.texts.path
        if self.tokenizer.path is None or not path.exists():
            return
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        self.tokenizer.timeout_s = BUSY_TIMEOUT_S  # an engine may still be busy with what was cut
        emit("doing", text=f"counting the tokens of {len(rows)} answers with the endpoint's tokenizer")
        deadline = time.monotonic() + COUNT_AFTERWARDS_S
        empty = self.tokenizer.count("") or 0
        for row in rows:
            count = self.tokenizer.count(row["text"])
            if count is None or time.monotonic() > deadline:
                return
            self.recorder.tokens.add({"request_id": row["request_id"], "output_tokens": count - empty})

    def _close(self) -> None:
        try:
            self.recorder.close()
        except OSError as error:
            self.write_error = error
        if self.write_error is not None:
            raise BreakevenError(
                f"cannot write to {self.plan.run_dir}: {self.write_error.strerror}",
                hint="free some space, or name another place with --out DIR; what was written is kept",
            )


def _headers(plan: LoadPlan) -> dict[str, str]:
    headers = dict(plan.headers)
    if plan.api_key_env:
        headers["Authorization"] = f"Bearer {os.environ[plan.api_key_env]}"
    return headers


def main() -> int:
    """Read the plan, run the load, report errors as an event; exit code as everywhere."""
    plan = LoadPlan.from_line(sys.stdin.buffer.readline())
    logging.getLogger("locust").setLevel(logging.ERROR)  # it warns of spawn rates that are meant
    try:
        process = LoadProcess(plan)
        gevent.signal_handler(signal.SIGTERM, process.end)
        gevent.signal_handler(signal.SIGINT, process.end)
        process.run()
    except BreakevenError as error:
        emit("error", message=str(error), hint=error.hint, detail=error.detail, exit_code=error.exit_code)
        return error.exit_code
    emit("done", interrupted=process.interrupted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
