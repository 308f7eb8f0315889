"""Runs the steps that the parent orders, each at its instant, until it is told to stop."""

from collections.abc import Callable

import gevent
import gevent.event
import gevent.queue

from harness.load.protocol import Command, CutStep, Drop, End, Event, Finish, Idle, RunSteps
from harness.load.shapes.shapes import Shape
from harness.load.wire.clock import RunClock
from harness.load.wire.sender import Sender
from harness.scenario.steps import Step


class Stepper:
    """The step that is on, and what comes after it."""

    def __init__(self, clock: RunClock, sender: Sender, say: Callable[[Event], None]) -> None:
        self.interrupted = False
        self._clock = clock
        self._sender = sender
        self._say = say
        self._commands = gevent.queue.Queue()
        self._cut = gevent.event.Event()  # set: the step that is on is over

    def told(self, command: Command) -> None:
        """What the parent orders."""
        match command:
            case End():
                self.end()
            case CutStep():
                self._cut.set()
                self._sender.cut_under_way()
            case Drop():
                self._sender.cut_under_way()
            case _:
                self._commands.put(command)

    def end(self) -> None:
        """Ordered, SIGTERM or a vanished parent: cut what is under way, keep every row."""
        self.interrupted = True
        self._cut.set()
        self._commands.put(Finish())

    def run(self, shape: Shape, flush: Callable[[], None]) -> None:
        """Steps until no more come; `flush` brings their rows to the disk before the parent is told of their end."""
        for command in self._commands:
            if not isinstance(command, RunSteps) or self.interrupted:
                return
            start_s = command.start_s
            for step in command.steps:
                self._step(shape, step, start_s)
                start_s += step.length_s
            if self._commands.empty():
                self._rest(shape)
                flush()
                self._say(Idle(command.steps[-1].step))

    def _step(self, shape: Shape, step: Step, start_s: float) -> None:
        if not self.interrupted:
            self._cut.clear()
        if self._wait_until(start_s):
            shape.run(step, start_s, self._wait_until)
            self._wait_until(start_s + step.length_s)

    def _wait_until(self, t_s: float) -> bool:
        """Sleep until `t_s` of the run; False when the step was ended before."""
        left_s = t_s - self._clock.now_s()
        if left_s <= 0:
            gevent.sleep(0)  # others are due too
            return not self._cut.is_set()
        return not self._cut.wait(left_s)

    def _rest(self, shape: Shape) -> None:
        """Between two probes: nothing begins, and what is under way ends."""
        shape.hold()
        gevent.sleep(0)
        while self._sender.live.in_flight and not self.interrupted:
            gevent.sleep(0.01)
