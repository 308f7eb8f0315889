"""A load process: `python -m harness.load.process.child`, plan and commands on stdin, events as JSON lines on stdout.

It runs Locust, and is a process of its own because importing Locust patches the whole interpreter.
It ends when its standard input closes (its parent is gone), on SIGTERM, or when the load is done.
"""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.queue
import orjson
from locust.env import Environment

from harness.backends import BACKENDS
from harness.base.errors import BreakevenError
from harness.load.limits import allow_open_files, check_limits, files_needed
from harness.load.plan import Learned, LoadPlan
from harness.load.process.gpu import is_this_machine, local_gpus
from harness.load.process.identify import Identity, identify, other_model
from harness.load.process.inbox import Inbox
from harness.load.process.sampling import watch_self
from harness.load.process.scrape import Scraper
from harness.load.process.tokenizer import EndpointTokenizer, build_vocabulary, count_answers
from harness.load.prompts.texts import PromptSource, Vocabulary
from harness.load.shapes.shapes import shape_of
from harness.load.wire.clock import RunClock
from harness.load.wire.sender import Sender
from harness.load.wire.transport import Target
from harness.rundir.recorder import FLUSH_S, Recorder
from harness.scenario import Scenario
from harness.scenario.steps import Step, most_at_once

DRAIN_S = 30.0  # requests in flight after the last step get min(timeout_s, this)
CUT_S = 5.0  # and so long to write down that they were cut
MODELS_KEPT = 1000  # names of a gateway's list


def emit(event: str, **facts: Any) -> None:
    """One event line for the parent."""
    os.write(1, orjson.dumps({"event": event, **facts}, option=orjson.OPT_APPEND_NEWLINE))


def _emit_live(sample: dict[str, Any]) -> None:
    emit("live", **sample)


class LoadProcess:
    """One load process from plan to last row."""

    def __init__(self, plan: LoadPlan, inbox: Inbox) -> None:
        self.plan = plan
        self.inbox = inbox
        self.scenario = Scenario.model_validate(plan.scenario)
        most = most_at_once(self.scenario.load)
        if plan.process_base:  # on another machine than the one that was asked beforehand
            check_limits(math.ceil(most / plan.workers), 1, plan.urls)
        allow_open_files(files_needed(most, plan.workers))
        self.clock = RunClock(plan.started_monotonic_ns)
        self.recorder = Recorder(Path(plan.run_dir), keep_arrivals=plan.keep_arrivals)
        self.wire = BACKENDS[plan.backend]
        self.sender = Sender(plan, self.scenario, self.wire, self.clock, self.recorder)
        self.sender.targets = [Target(url, _headers(plan), ca_file=plan.ca_file) for url in plan.urls]
        self.commands = gevent.queue.Queue()
        self.cut = gevent.event.Event()  # set: the step that is on is over
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
        vocabulary = self._prepare()
        prompts = PromptSource(
            self.scenario.prompts, self.scenario.seed, vocabulary, Path(self.plan.base_dir)
        )
        environment = Environment()
        self.shape = shape_of(self.scenario, self.plan, self.sender, prompts, environment)
        helpers = [
            gevent.spawn(self._flush_often),
            gevent.spawn(self.inbox.listen, self._on_command, self.end),
            gevent.spawn(watch_self, self.sender, self.clock, self.recorder, self._asked, _emit_live),
        ]
        scraper = self._scraper()
        helpers += [gevent.spawn(scraper.run)] if scraper is not None else []
        gc.collect()
        gc.freeze()  # what is there now stays: no collection pauses over it
        emit("ready")
        try:
            self._steps()
            self.shape.stop()
            self._drain()
        finally:
            self.shape.stop()
            self.sender.cut_under_way()
            self._wait_idle(CUT_S)
            self.shape.quit()
            gevent.killall(helpers)
            if scraper is not None:
                scraper.last()
            self._flush()  # counting may take minutes, and not every parent has them
            self._count_afterwards()
            self._close()

    def _asked(self) -> int | None:
        return self.shape.asked

    def _scraper(self) -> Scraper | None:
        """The first process keeps what the servers say of themselves, over connections that no user shares."""
        plan = self.plan
        if plan.worker != 0:
            return None
        own = [Target(url, _headers(plan), ca_file=plan.ca_file) for url in plan.urls]
        own += [Target(url, {}) for url in plan.gpu_urls]
        gpus = local_gpus() if all(is_this_machine(url) for url in plan.urls) else None
        timeout_s = self.scenario.request.timeout_s
        return Scraper(own, self.clock, Path(plan.run_dir), timeout_s=timeout_s, gpus=gpus)

    def _prepare(self) -> Vocabulary:
        learned = self.plan.learned
        if learned is not None:
            known = Learned(**learned)
            self.sender.model = self.tokenizer.model = known.model
            self.tokenizer.path = known.tokenizer_path
            return Vocabulary(tuple(known.words), known.overhead_tokens, known.exact)
        plan = self.plan
        identity = Identity(model=plan.model)
        if not plan.known_engine:
            emit("doing", text=f"asking {plan.urls[0]} who it is")
            for target in self.sender.targets[1:]:
                identify(target, self.clock, self.scenario.request.timeout_s)
            identity = identify(self.sender.targets[0], self.clock, self.scenario.request.timeout_s)
        self.sender.model = self.tokenizer.model = plan.model or identity.model
        other = other_model(plan.model, identity)
        if other is not None:
            emit("warning", text=f"{plan.urls[0]} {other}")
        emit("doing", text="asking its tokenizer for words of one token")
        self.tokenizer.find()
        found = build_vocabulary(self.tokenizer)
        emit(
            "prepared",
            model=self.sender.model,
            engine=identity.engine,
            served_models=identity.models[:MODELS_KEPT],
            has_metrics=identity.has_metrics,
            tokenizer=self.tokenizer.path,
            exact_lengths=found.exact,
            learned=asdict(
                Learned(
                    self.sender.model,
                    self.tokenizer.path,
                    list(found.words),
                    found.overhead_tokens,
                    found.exact,
                )
            ),
        )
        return found

    def _on_command(self, command: dict[str, Any]) -> None:
        if command["do"] == "end":
            self.end()
        elif command["do"] in {"cut", "drop"}:
            if command["do"] == "cut":
                self.cut.set()
            self.sender.cut_under_way()
        else:
            self.commands.put(command)

    def _steps(self) -> None:
        for command in self.commands:
            if command["do"] == "finish" or self.interrupted:
                return
            start_s = command["start_s"]
            for facts in command["steps"]:
                step = Step(**facts)
                self._step(step, start_s)
                start_s += step.length_s
            if self.commands.empty():
                self._rest(step)

    def _step(self, step: Step, start_s: float) -> None:
        if not self.interrupted:
            self.cut.clear()
        if self.wait_until(start_s):
            self.shape.run(step, start_s, self.wait_until)
            self.wait_until(start_s + step.length_s)

    def wait_until(self, t_s: float) -> bool:
        """Sleep until `t_s` of the run; False when the step was ended before."""
        left_s = t_s - self.clock.now_s()
        if left_s <= 0:
            gevent.sleep(0)  # others are due too
            return not self.cut.is_set()
        return not self.cut.wait(left_s)

    def _rest(self, step: Step) -> None:
        """Between two probes: nothing begins, and the parent hears when nothing is under way."""
        self.shape.hold()
        gevent.sleep(0)
        while self.sender.live.in_flight and not self.interrupted:
            gevent.sleep(0.01)
        self._flush()
        emit("idle", step=step.step)

    def _drain(self) -> None:
        if self.sender.live.in_flight and self.plan.worker == 0:
            emit("doing", text=f"waiting for {self.sender.live.in_flight} requests under way")
        self._wait_idle(min(self.scenario.request.timeout_s, DRAIN_S), even_if_interrupted=False)

    def _wait_idle(self, seconds: float, *, even_if_interrupted: bool = True) -> None:
        deadline_s = self.clock.now_s() + seconds
        gevent.sleep(0)
        while self.sender.live.in_flight and self.clock.now_s() < deadline_s:
            if self.interrupted and not even_if_interrupted:
                return
            gevent.sleep(0.02)

    def end(self) -> None:
        """SIGTERM or a vanished parent: cut what is under way, keep every row."""
        self.interrupted = True
        self.cut.set()
        self.commands.put({"do": "finish"})

    def _flush(self) -> None:
        try:
            self.recorder.flush()
        except OSError as error:
            self.write_error = error
            self.end()

    def _flush_often(self) -> None:
        while self.write_error is None:
            gevent.sleep(FLUSH_S)
            self._flush()

    def _count_afterwards(self) -> None:
        path = self.recorder.texts.path
        if self.write_error is not None or self.tokenizer.path is None or not path.exists():
            return
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        emit("doing", text=f"counting the tokens of {len(rows)} answers with the endpoint's tokenizer")
        for request_id, tokens in count_answers(self.tokenizer, rows):
            self.recorder.tokens.add({"request_id": request_id, "output_tokens": tokens})

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
    inbox = Inbox()
    line = inbox.first_line()
    if not line:
        return 0  # the parent went away before it had a plan for us
    logging.getLogger("locust").setLevel(logging.ERROR)  # it warns of spawn rates that are meant
    try:
        process = LoadProcess(LoadPlan.from_line(line), inbox)
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
