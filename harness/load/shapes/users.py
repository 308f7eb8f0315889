"""Closed load: Locust users, each a conversation that asks again when the last answer is in.

Users have numbers, from 0; with several load processes number u lives in process u mod N, so that what a user
asks does not depend on how many there are (but for the rows of a file, which go to whoever is next).
"""

from __future__ import annotations

import hashlib
import sys
import uuid

import gevent
from locust import User, task
from locust.exception import StopUser

from harness.load.prompts.file_rows import RecordedConversation
from harness.load.prompts.sessions import Conversation
from harness.load.prompts.tasks import TaskConversation
from harness.load.prompts.texts import PromptSource
from harness.load.shapes.entering import Entering
from harness.load.wire.fleet import Seat
from harness.load.wire.sender import Cut, Sender, Sent
from harness.load.wire.sockets import LOOKOUT
from harness.rundir.records import NOT_FAILURES, RequestRecord
from harness.scenario import Scenario, SessionPrompts
from harness.scenario.steps import Step

BACK_OFF_S = (0.1, 0.2, 0.5, 1.0)  # after the first, second, third and later failures in a row
IDLE_S = 0.05  # between two looks for something to ask, where a round has nothing left
MAX_RETRY_AFTER_S = 60.0  # a server may ask for more; a load test cannot wait for it
ASKS_TO_WAIT = (429, 503)


class ClosedGate:
    """Which step is on and how many users may ask; users of a smaller step wait, they are not killed."""

    def __init__(self, sender: Sender, prompts: PromptSource, scenario: Scenario, run_id: str) -> None:
        self.sender = sender
        self.prompts = prompts
        self.scenario = scenario
        self.run_id = run_id
        self.think_time_s = scenario.think_time_s
        self.step = 0
        self.allowed = 0
        self.stopping = False
        self.joined = 0
        self.worker, self.workers = 0, 1
        self._closed = gevent.event.Event()
        spec = scenario.prompts
        self._entering = Entering(spec.turns) if isinstance(spec, SessionPrompts) else None
        self._turns: dict[int, gevent.event.Event] = {}  # of the users who wait for theirs

    def expect(self, step: Step, start_s: float) -> None:
        """The users of a step come, those who are not there yet together; the first may be alone as yet."""
        assert step.users is not None
        if self.prompts.asks is not None and not step.cohort:
            self.prompts.asks.open(start_s + step.warmup_s)
        if self._entering is not None:
            self._entering.expect(max(*step.users, step.cohort), first_alone=step.cohort > 0)

    def open(self, step: int, users: int) -> None:
        """From now on users with numbers below `users` may ask, and what they ask belongs to `step`."""
        self.step, self.allowed = step, users
        for user in [user for user in self._turns if user < users]:
            self._turns.pop(user).set()

    def close(self) -> None:
        """No further request begins."""
        self.stopping = True
        self._closed.set()
        self.open(self.step, sys.maxsize)

    def share(self, users: int) -> int:
        """How many of `users` live in this process."""
        return len(range(self.worker, users, self.workers))

    def join(self) -> int:
        """The next user's number."""
        self.joined += 1
        return (self.joined - 1) * self.workers + self.worker

    def conversation_of(self, user: int) -> Conversation | RecordedConversation | TaskConversation | None:
        """What `user` goes on with from request to request; None where each request stands alone."""
        spec, rows = self.scenario.prompts, self.prompts.rows
        if self.prompts.asks is not None:
            return TaskConversation(self.prompts.asks, self.sender.clock.now_s)
        if isinstance(spec, SessionPrompts) and self._entering is not None:
            return Conversation(spec, self.prompts, user, self.scenario.seed, self._entering.turn(user))
        return RecordedConversation(rows, user) if rows is not None and self.scenario.has_conversations else None

    def wait_for_turn(self, user: int) -> None:
        """Return when `user` may ask.

        Raises:
            StopUser: the run is ending.
        """
        while not self.stopping and user >= self.allowed:
            self._turns.setdefault(user, gevent.event.Event()).wait()
        if self.stopping:
            raise StopUser

    def pause(self, seconds: float) -> None:
        """Sleep, but not past the end of the run."""
        if seconds > 0:
            self._closed.wait(seconds)


def request_id(run_id: str, user: int | str, n: int) -> str:
    """The id of a user's n-th request: a UUID, since llama-cpp-python answers any other with 400."""
    digest = hashlib.sha256(f"{run_id}/{user}/{n}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def closed_user(gate: ClosedGate) -> type[User]:
    """The Locust user class that asks through `gate`."""

    class ClosedUser(User):
        """One user; with sessions, one conversation after another."""

        def on_start(self) -> None:
            LOOKOUT.glance()  # many users may start together while the first are waiting
            self.number = gate.join()
            self.asked = 0
            self.failures = 0
            self.conversation = gate.conversation_of(self.number)
            self.seat = Seat(gate.sender.fleet, self.number)

        def wait_time(self) -> float:
            """Thinking is ours: it ends early when the run does."""
            return 0

        @task
        def ask(self) -> None:
            """One request and the thinking after it."""
            gate.wait_for_turn(self.number)
            row = RequestRecord(
                request_id=request_id(gate.run_id, self.number, self.asked),
                step=gate.step,
                scheduled_s=gate.sender.clock.now_s(),
            )
            talk = self.conversation
            prompt = talk.ask() if talk is not None else gate.prompts.get(self.number, self.asked)
            if prompt is None:
                gate.pause(IDLE_S)
                return
            if talk is not None:
                talk.mark(row)
            self.asked += 1
            try:
                sent = gate.sender.send(prompt, row, self.seat.sit())
            except Cut:
                sent = None
            finally:
                if talk is None or not talk.stays:
                    self.seat.leave()
            if talk is not None:
                good = sent if row.error is None else None
                talk.answered(None if good is None else good.reply, None if good is None else good.reply_tokens)
                if talk.turn == 0 or sent is None:
                    self.seat.leave()
            if sent is None:
                return
            failed = row.error is not None and row.error not in NOT_FAILURES
            self.failures = self.failures + 1 if failed else 0
            gate.pause(max(gate.think_time_s, back_off_s(self.failures, sent)))

    return ClosedUser


def back_off_s(failures: int, sent: Sent) -> float:
    """How long a user waits after its `failures`-th failure in a row: what the server asks for, else our own."""
    if not failures:
        return 0.0
    if sent.row.http_status in ASKS_TO_WAIT and sent.retry_after_s is not None:
        return min(sent.retry_after_s, MAX_RETRY_AFTER_S)
    return BACK_OFF_S[min(failures, len(BACK_OFF_S)) - 1]
