"""Open load: requests leave at their planned instants, whatever is in flight.

Every load process draws the whole plan and sends its own part of it: arrival i belongs to process i mod N.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import gevent
import gevent.event
import gevent.pool

from harness.load.prompts.texts import Prompt, PromptSource
from harness.load.shapes.arrivals import ArrivalPlan
from harness.load.shapes.users import request_id
from harness.load.wire.sender import Cut, Sender
from harness.rundir.records import RequestRecord
from harness.scenario import Scenario, TraceLoad
from harness.scenario.steps import Step
from harness.scenario.trace import Trace

OPEN = "open"  # stands where a closed load has a user's number, in prompts and request ids


class RatePlan:
    """Arrivals at a planned rate, numbered through all steps."""

    def __init__(self, scenario: Scenario, prompts: PromptSource) -> None:
        load = scenario.load
        self._arrivals = ArrivalPlan(
            scenario.seed, getattr(load, "arrivals", "poisson"), getattr(load, "burstiness", 1.0)
        )
        self._prompts = prompts
        self._next = 0

    def due(self, step: Step) -> list[tuple[int, float]]:
        """(number, seconds from the step's start) of the step's arrivals."""
        assert step.rate is not None
        instants = self._arrivals.step(step.length_s, *step.rate)
        first, self._next = self._next, self._next + len(instants)
        return list(enumerate(instants, start=first))

    def prompt(self, number: int) -> Prompt:
        """What arrival `number` asks."""
        return self._prompts.get(OPEN, number)


class TracePlan:
    """Arrivals as a request log has them."""

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


Plan = RatePlan | TracePlan


class Dispatcher:
    """Sends the arrivals of one step after another; at most `cap` of this process's requests are in flight."""

    def __init__(self, sender: Sender, plan: Plan, run_id: str, cap: int) -> None:
        self._sender = sender
        self._plan = plan
        self._run_id = run_id
        self._cap = cap
        self._under_way = gevent.pool.Group()
        self.worker, self.workers = 0, 1

    def run(self, step: Step, start_s: float, wait_until: Callable[[float], bool]) -> None:
        """Send a step's arrivals; `wait_until(t_s)` sleeps till then and says whether the step goes on."""
        for number, due_s in self._own(step):
            prompt = self._plan.prompt(number)  # made while there is time
            row = RequestRecord(
                request_id=request_id(self._run_id, OPEN, number), step=step.step, scheduled_s=start_s + due_s
            )
            if not wait_until(start_s + due_s):
                return
            if len(self._under_way) >= self._cap:
                self._sender.drop(row)
            else:
                self._under_way.start(gevent.Greenlet(self._send, prompt, row))

    def _own(self, step: Step) -> Iterator[tuple[int, float]]:
        return ((n, due_s) for n, due_s in self._plan.due(step) if n % self.workers == self.worker)

    def _send(self, prompt: Prompt, row: RequestRecord) -> None:
        with suppress(Cut):
            self._sender.send(prompt, row)
