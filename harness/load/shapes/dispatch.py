"""Open load: requests leave at their planned instants, whatever is in flight.

Every load process draws the whole plan and sends its own part of it: arrival i belongs to process i mod N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count

import gevent
import gevent.event
import gevent.pool

from harness.load.prompts.prompt import Prompt
from harness.load.prompts.tasks import RoundAsks, TaskTalk
from harness.load.prompts.texts import PromptSource
from harness.load.shapes.arrivals import ArrivalPlan
from harness.load.shapes.users import request_id
from harness.load.wire.fleet import Seat
from harness.load.wire.sender import Cut, Sender
from harness.rundir.records import RequestRecord
from harness.scenario import Scenario, TraceLoad
from harness.scenario.steps import Step
from harness.scenario.trace import Trace

OPEN = "open"  # stands where a closed load has a user's number, in prompts and request ids
HELD_S = 0.25  # of arrivals drawn at a time in a hold


class RatePlan:
    """Arrivals at a planned rate, numbered through all steps under one `name`."""

    def __init__(self, scenario: Scenario, prompts: PromptSource, name: str = OPEN) -> None:
        load = scenario.load
        seed = f"{scenario.seed}" if name == OPEN else f"{scenario.seed}/{name}"
        self._arrivals = ArrivalPlan(seed, getattr(load, "arrivals", "poisson"), getattr(load, "burstiness", 1.0))
        self._scenario = scenario
        self._prompts = prompts
        self.name = name
        self._next = 0

    def due(self, step: Step) -> list[tuple[int, float]]:
        """(number, seconds from the step's start) of the step's arrivals."""
        assert step.rate is not None
        instants = self._arrivals.step(step.length_s, *step.rate)
        first, self._next = self._next, self._next + len(instants)
        return list(enumerate(instants, start=first))

    def prompt(self, number: int) -> Prompt:
        """What arrival `number` asks."""
        return self._prompts.get(self.name, number)

    def put_back(self) -> None:
        """The prompt that was made last is not sent."""
        self._prompts.put_back()

    def held(self, step: Step) -> RatePlan:
        """The arrivals of a step's hold. Nobody knows how many there will be, so they are a plan of their own: the
        next step's arrivals do not depend on them.
        """
        return RatePlan(self._scenario, self._prompts, f"{OPEN}/held/{step.step}")


class TracePlan:
    """Arrivals as a request log has them."""

    name = OPEN

    def __init__(self, load: TraceLoad, trace: Trace, prompts: PromptSource) -> None:
        self._rows = trace.rows
        self._speed = load.speed
        self._prompts = prompts
        self._passed_s = 0.0  # length of the steps so far
        self._next = 0

    def due(self, step: Step) -> list[tuple[int, float]]:
        """(number, seconds from the step's start) of the step's arrivals."""
        end_s = self._passed_s + step.length_s
        out: list[tuple[int, float]] = []
        while self._next < len(self._rows):
            instant_s = self._rows[self._next].arrival_s / self._speed
            if instant_s >= end_s:
                break
            out.append((self._next, instant_s - self._passed_s))
            self._next += 1
        self._passed_s = end_s
        return out

    def prompt(self, number: int) -> Prompt:
        """What the log's request `number` asks."""
        return self._prompts.of_trace(number, self._rows[number])

    def put_back(self) -> None:
        """The prompt that was made last is not sent."""


Plan = RatePlan | TracePlan


class Dispatcher:
    """Sends the arrivals of one step after another; at most `cap` of this process's requests are in flight."""

    def __init__(self, sender: Sender, plan: Plan, run_id: str, cap: int, asks: RoundAsks | None = None) -> None:
        self._asks = asks  # of a task run: what the arrivals ask
        self._sender = sender
        self._plan = plan
        self._run_id = run_id
        self._cap = cap
        self._under_way = gevent.pool.Group()
        self.worker, self.workers = 0, 1

    def run(self, step: Step, start_s: float, wait_until: Callable[[float], bool]) -> None:
        """Send a step's arrivals; `wait_until(t_s)` sleeps till then and says whether the step goes on."""
        if self._asks is not None:
            self._asks.open(start_s + step.warmup_s)
        self._run(self._plan, step, start_s, wait_until)

    def go_on(self, step: Step, from_s: float, wait_until: Callable[[float], bool]) -> None:
        """Hold a step's last rate until `wait_until` says no; a log has an end, after which nothing more is sent."""
        if isinstance(self._plan, TracePlan):
            wait_until(math.inf)
            return
        if self._asks is not None:
            self._asks.close()
        assert step.rate is not None
        plan, part = self._plan.held(step), replace(step, length_s=HELD_S, rate=(step.rate[1], step.rate[1]))
        while wait_until(from_s):
            self._run(plan, part, from_s, wait_until)
            from_s += HELD_S

    def _run(self, plan: Plan, step: Step, start_s: float, wait_until: Callable[[float], bool]) -> None:
        for number, due_s in self._own(plan, step):
            row = RequestRecord(
                request_id=request_id(self._run_id, plan.name, number), step=step.step, scheduled_s=start_s + due_s
            )
            if self._asks is not None:
                if not self._task(self._asks, row, number, wait_until):
                    return
                continue
            prompt = plan.prompt(number)  # made while there is time
            if not wait_until(start_s + due_s):
                plan.put_back()
                return
            if len(self._under_way) >= self._cap:
                self._sender.drop(row)
            else:
                self._under_way.start(gevent.Greenlet(self._send, prompt, row, number))

    def _task(self, asks: RoundAsks, row: RequestRecord, number: int, wait_until: Callable[[float], bool]) -> bool:
        """An arrival that asks a task, or nothing where none is left; whether the step goes on."""
        assert row.scheduled_s is not None
        if not wait_until(row.scheduled_s):
            return False
        if len(self._under_way) >= self._cap:
            self._sender.drop(row)  # the task waits for the next
        elif (talk := asks.take(row.scheduled_s)) is not None:
            self._under_way.start(gevent.Greenlet(self._send_task, talk, row, number))
        return True

    def _own(self, plan: Plan, step: Step) -> Iterator[tuple[int, float]]:
        return ((n, due_s) for n, due_s in plan.due(step) if n % self.workers == self.worker)

    def _send(self, prompt: Prompt, row: RequestRecord, number: int) -> None:
        seat = Seat(self._sender.fleet, number)
        try:
            with suppress(Cut):
                self._sender.send(prompt, row, seat.sit())
        finally:
            seat.leave()

    def _send_task(self, talk: TaskTalk, row: RequestRecord, number: int) -> None:
        """All turns of a task, each when the reply before it is there, at one replica."""
        seat, first = Seat(self._sender.fleet, number), row
        try:
            with suppress(Cut):
                for number in count(1):
                    talk.mark(row)
                    sent = self._sender.send(talk.prompt(), row, seat.sit())
                    talk.answered(sent.reply if row.error is None else None)
                    if talk.is_over:
                        break
                    row = RequestRecord(
                        request_id=request_id(first.request_id, "turn", number),
                        step=first.step,
                        scheduled_s=self._sender.clock.now_s(),
                    )
        finally:
            seat.leave()
