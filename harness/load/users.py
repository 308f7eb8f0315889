"""Closed load: Locust users, each a conversation that asks again when the last answer is in."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import gevent
from locust import User, task
from locust.exception import StopUser

from harness.load.prompts import PromptSource
from harness.load.sender import Sender
from harness.records import NOT_FAILURES, RequestRecord

BACK_OFF_S = (0.1, 0.2, 0.5, 1.0)  # after the first, second, third and later failures in a row


class ClosedGate:
    """Which step is on and how many users may ask; users of a smaller step wait, they are not killed."""

    def __init__(self, sender: Sender, prompts: PromptSource, run_id: str, think_time_s: float) -> None:
        self.sender = sender
        self.prompts = prompts
        self.run_id = run_id
        self.think_time_s = think_time_s
        self.step = 0
        self.allowed = 0
        self.stopping = False
        self.joined = 0
        self._changed = gevent.event.Event()

    def open(self, step: int, users: int) -> None:
        """Begin a step."""
        self.step, self.allowed = step, users
        self._wake()

    def close(self) -> None:
        """No further request begins."""
        self.stopping = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, gevent.event.Event()
        changed.set()

    def join(self) -> int:
        """The next user's number, from 0."""
        self.joined += 1
        return self.joined - 1

    def wait_for_turn(self, user: int) -> None:
        """Return when `user` may ask.

        Raises:
            StopUser: the run is ending.
        """
        while not self.stopping and user >= self.allowed:
            self._changed.wait()
        if self.stopping:
            raise StopUser

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the end of the run."""
        if seconds > 0 and not self.stopping:
            self._changed.wait(seconds)


def request_id(run_id: str, user: int, n: int) -> str:
    """The id of a user's n-th request: a UUID, since llama-cpp-python answers any other with 400."""
    digest = hashlib.sha256(f"{run_id}/{user}/{n}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def closed_user(gate: ClosedGate) -> type[User]:
    """The Locust user class that asks through `gate`."""

    class ClosedUser(User):
        """One conversation."""

        def on_start(self) -> None:
            self.number = gate.join()
            self.asked = 0
            self.failures = 0
            self.ready_s: float | None = None

        def wait_time(self) -> float:
            """Thinking is ours: it ends early when the run does."""
            return 0

        @task
        def ask(self) -> None:
            """One request and the thinking after it."""
            gate.wait_for_turn(self.number)
            clock = gate.sender.clock
            row = RequestRecord(
                request_id=request_id(gate.run_id, self.number, self.asked),
                step=gate.step,
                scheduled_s=clock.now_s(),
            )
            prompt = gate.prompts.get(self.number, self.asked)
            self.asked += 1
            gate.sender.send(prompt, row)
            _tell_locust(self.environment, row)
            failed = row.error is not None and row.error not in NOT_FAILURES
            self.failures = self.failures + 1 if failed else 0
            back_off_s = BACK_OFF_S[min(self.failures, len(BACK_OFF_S)) - 1] if failed else 0
            gate.pause(max(gate.think_time_s, back_off_s))

    return ClosedUser


def _tell_locust(environment: Any, row: RequestRecord) -> None:
    """Locust's own live table: one event a request, in its milliseconds. No metric of ours comes from it."""
    end_s = row.finished_s or row.first_token_s or row.sent_s or 0.0
    environment.events.request.fire(
        request_type="POST",
        name="generate",
        response_time=(end_s - (row.sent_s or end_s)) * 1000,
        response_length=row.output_tokens or 0,
        exception=row.error,
        context={},
    )
