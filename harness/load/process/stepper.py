"""Runs the steps that the parent orders, each at its instant, and holds their load until the next order comes."""

import math
from collections.abc import Callable

import gevent
import gevent.event
import gevent.queue

from harness.load.protocol import Command, CutStep, Drop, End, Event, Finish, Held, Holding, Idle, Rest, RunSteps
from harness.load.shapes.shapes import Shape
from harness.load.wire.clock import RunClock
from harness.load.wire.sender import Sender
from harness.scenario.steps import Step

LOOK_S = 0.02  # for the end of the last request that a hold waits for
SAY_S = 1.0  # how often a hold says for how many it waits


class Stepper:
    """The step that is on, and what comes after it."""

    def __init__(self, clock: RunClock, sender: Sender, say: Callable[[Event], None]) -> None:
        self.interrupted = False
        self._is_over = False  # no further step begins
        self._clock = clock
        self._sender = sender
        self._say = say
        self._commands = gevent.queue.Queue()
        self._ends_s = math.inf  # when what is on gives way: to the next order in a hold, at once where it is cut
        self._was_cut = False
        self._holding = False
        self._news = gevent.event.Event()  # `_ends_s` has changed

    def told(self, command: Command) -> None:
        """What the parent orders."""
        match command:
            case End():
                self.end()
            case CutStep():
                self._was_cut = True
                self._end_by(0.0)
                self._sender.cut_under_way()
            case Drop():
                self._sender.cut_under_way()
            case _:
                self._commands.put(command)
                if self._holding:
                    self._end_by(_due_s(command))

    def end(self) -> None:
        """Ordered, SIGTERM or a vanished parent: cut what is under way, keep every row."""
        self.interrupted = True
        self.finish()

    def finish(self) -> None:
        """No further request begins; what is under way may end."""
        self._is_over = self._was_cut = True
        self._end_by(0.0)
        self._commands.put(Finish())

    def run(self, shape: Shape, flush: Callable[[], None]) -> None:
        """Steps until no more come; `flush` brings their rows to the disk before the parent is told of their end."""
        order = 0
        for command in self._commands:
            if self._is_over or not isinstance(command, RunSteps | Rest):
                return
            if isinstance(command, RunSteps):
                order = command.order
                self._run(shape, command, flush)
                if not self._was_cut:
                    continue
            self._rest(shape)
            flush()
            self._say(Idle(order))

    def _run(self, shape: Shape, order: RunSteps, flush: Callable[[], None]) -> None:
        self._was_cut, self._ends_s = False, math.inf
        start_s = order.start_s
        for step in order.steps:
            self._step(shape, step, start_s)
            start_s += step.length_s
        if not self._was_cut:
            self._hold(shape, order, start_s, flush)

    def _step(self, shape: Shape, step: Step, start_s: float) -> None:
        if self._wait_until(start_s):
            shape.run(step, start_s, self._wait_until)
            self._wait_until(start_s + step.length_s)

    def _hold(self, shape: Shape, order: RunSteps, end_s: float, flush: Callable[[], None]) -> None:
        """The last step's load goes on, and the parent is told when all that was due in the window has ended."""
        self._holding = True
        if not self._commands.empty():
            self._ends_s = _due_s(self._commands.peek())
        teller = gevent.spawn(self._tell_what_is_left, order, end_s, flush)
        try:
            shape.go_on(order.steps[-1], end_s, self._wait_until)
        finally:
            self._holding = False
            teller.kill()

    def _tell_what_is_left(self, order: RunSteps, end_s: float, flush: Callable[[], None]) -> None:
        begin_s, said_s = order.start_s + order.steps[0].warmup_s, -math.inf
        while left := self._sender.under_way(begin_s, end_s):
            if self._clock.now_s() - said_s >= SAY_S:
                said_s = self._clock.now_s()
                flush()
                self._say(Holding(order.order, left))
            gevent.sleep(LOOK_S)
        flush()
        self._say(Held(order.order))

    def _end_by(self, t_s: float) -> None:
        self._ends_s = t_s
        self._news.set()

    def _wait_until(self, t_s: float) -> bool:
        """Sleep until `t_s` of the run; False when what is on has to end before."""
        while True:
            left_s = min(t_s, self._ends_s) - self._clock.now_s()
            if left_s <= 0:
                gevent.sleep(0)  # others are due too
                return t_s < self._ends_s
            self._news.clear()
            self._news.wait(None if math.isinf(left_s) else left_s)

    def _rest(self, shape: Shape) -> None:
        """Nothing begins, and what is under way ends."""
        shape.rest()
        self._sender.cut_waiting()
        gevent.sleep(0)
        while self._sender.live.in_flight and not self.interrupted:
            gevent.sleep(0.01)


def _due_s(command: Command) -> float:
    return command.start_s if isinstance(command, RunSteps) else 0.0
