"""The two ways to load: users that wait for their answers, and a plan that waits for nobody."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from locust.env import Environment

from harness.load.plan import LoadPlan
from harness.load.prompts.texts import PromptSource
from harness.load.shapes.dispatch import Dispatcher, RatePlan, TracePlan
from harness.load.shapes.users import ClosedGate, closed_user
from harness.load.wire.sender import Sender
from harness.scenario import Scenario, TraceLoad
from harness.scenario.steps import Step, most_at_once, user_changes
from harness.scenario.trace import trace_of

SPAWN_RATE = 1000.0  # users a second, at least; all are there within a second

WaitUntil = Callable[[float], bool]


class Shape(Protocol):
    """One of them."""

    @property
    def asked(self) -> int | None:
        """Requests that this process is meant to have in flight now; None where a plan waits for nobody."""
        ...

    def run(self, step: Step, start_s: float, wait_until: WaitUntil) -> None:
        """Begin a step's load; `wait_until` says False when the step was ended before its time."""
        ...

    def go_on(self, step: Step, from_s: float, wait_until: WaitUntil) -> None:
        """Hold a step's load after its end, `from_s`; `wait_until` says False when that is over."""
        ...

    def rest(self) -> None:
        """Begin nothing until the next step."""
        ...

    def stop(self) -> None:
        """Begin nothing any more."""
        ...

    def quit(self) -> None:
        """End everybody."""
        ...


class ClosedShape:
    """Locust users behind a gate."""

    def __init__(self, gate: ClosedGate, environment: Environment, seed: int) -> None:
        self._gate = gate
        self._seed = seed
        environment.user_classes = [closed_user(gate)]
        self._runner: Any = environment.create_local_runner()

    @property
    def asked(self) -> int | None:
        """See Shape.asked."""
        return 0 if self._gate.stopping else self._gate.share(self._gate.allowed)

    def run(self, step: Step, start_s: float, wait_until: WaitUntil) -> None:
        """See Shape.run."""
        assert step.users is not None
        self._gate.expect(step, start_s)
        for offset_s, users in user_changes(step, self._seed):
            if not wait_until(start_s + offset_s):
                return
            self._gate.open(step.step, users)
            share = self._gate.share(max(step.users))
            if share > self._gate.joined:
                self._runner.start(share, spawn_rate=max(SPAWN_RATE, share))

    def go_on(self, step: Step, from_s: float, wait_until: WaitUntil) -> None:  # noqa: ARG002
        """See Shape.go_on: the users do by themselves; the last of a ramp comes now."""
        assert step.users is not None
        if self._gate.prompts.asks is not None:
            self._gate.prompts.asks.close()
        self._gate.open(step.step, step.users[1])
        wait_until(math.inf)

    def rest(self) -> None:
        """See Shape.rest."""
        self._gate.open(self._gate.step, 0)

    def stop(self) -> None:
        """See Shape.stop."""
        self._gate.close()

    def quit(self) -> None:
        """See Shape.quit."""
        self._runner.quit()


class OpenShape:
    """A dispatcher; where nobody tells it to, it begins nothing."""

    def __init__(self, dispatcher: Dispatcher, environment: Environment) -> None:
        self._dispatcher = dispatcher
        self._runner: Any = environment.create_local_runner()

    @property
    def asked(self) -> int | None:
        """See Shape.asked."""
        return None

    def run(self, step: Step, start_s: float, wait_until: WaitUntil) -> None:
        """See Shape.run."""
        self._dispatcher.run(step, start_s, wait_until)

    def go_on(self, step: Step, from_s: float, wait_until: WaitUntil) -> None:
        """See Shape.go_on."""
        self._dispatcher.go_on(step, from_s, wait_until)

    def rest(self) -> None:
        """See Shape.rest."""

    def stop(self) -> None:
        """See Shape.stop."""

    def quit(self) -> None:
        """See Shape.quit."""
        self._runner.quit()


def shape_of(
    scenario: Scenario, plan: LoadPlan, sender: Sender, prompts: PromptSource, environment: Environment
) -> Shape:
    """The scenario's way to load, with this process's share of it."""
    load = scenario.load
    if not load.is_open:
        gate = ClosedGate(sender, prompts, scenario, plan.run_id)
        gate.worker, gate.workers = plan.worker, plan.workers
        return ClosedShape(gate, environment, scenario.seed)
    if isinstance(load, TraceLoad):
        trace = trace_of(load, Path(plan.base_dir))
        arrivals: RatePlan | TracePlan = TracePlan(load, trace, prompts)
    else:
        arrivals = RatePlan(scenario, prompts)
    whole, rest = divmod(most_at_once(load), plan.workers)
    cap = whole + (plan.worker < rest)
    dispatcher = Dispatcher(sender, arrivals, plan.run_id, cap, prompts.asks)
    dispatcher.worker, dispatcher.workers = plan.worker, plan.workers
    return OpenShape(dispatcher, environment)
