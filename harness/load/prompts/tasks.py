"""The tasks of a round, dealt out one by one to whoever is next, and repeats of them where only the load is wanted.

A repeat starts with a nonce of its own: it must not make known to a cache what is still to be asked.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.backends.wire import Constraint
from harness.load.prompts.prompt import Prompt
from harness.rundir.records import RequestRecord
from harness.scenario.asks import TaskAsk
from harness.scenario.context import Parts, after_summary, parted
from harness.scenario.turns import BETWEEN_MESSAGES, Message, text_of, with_nonce


def constraint_of(schema: Any, grammar: str | None) -> Constraint | None:
    """What the server may generate alone; None: anything."""
    return None if schema is None and grammar is None else Constraint(schema, grammar)


class TaskTalk:
    """One ask on its way: its turns one after another, the real replies among them."""

    def __init__(self, ask: TaskAsk, nonce: str | None = None) -> None:
        self._ask = ask
        self._session = "/".join(filter(None, (ask.task, str(ask.attempt), nonce)))
        self.is_repeat = nonce is not None
        self.is_over = False
        self.turn = 0
        self._summary = ""  # of what was said before `_summed` messages
        self._summed = 0
        self._said: tuple[Message, ...] = ask.messages if nonce is None else _apart(ask.messages, nonce)

    def prompt(self) -> Prompt:
        """What is asked next."""
        if self.wants_summary:
            return self._summary_prompt()
        said = self._sent()
        text = _text(said)
        is_last = self.turn == len(self._ask.turns)
        constraint = constraint_of(self._ask.schema, self._ask.grammar) if is_last else None
        return Prompt(text, None, self._ask.max_tokens, said, is_last and not self.is_repeat, constraint)

    def _parts(self) -> Parts:
        if self._ask.kept is None:
            return parted(self._said, len(self._said))
        complaints = max(self.turn - (len(self._ask.turns) - self._ask.complaints), 0)
        return parted(self._said, self._ask.kept.last_turns + complaints)

    @property
    def wants_summary(self) -> bool:
        """Whether turns have become old that no summary tells of."""
        kept = self._ask.kept
        if kept is None or not kept.summary_prompt:
            return False
        parts = self._parts()
        return len(parts.head) + len(parts.older) > max(self._summed, len(parts.head))

    def _sent(self) -> tuple[Message, ...]:
        """Of what was said, what is sent again with this turn."""
        if self._ask.kept is None:
            return self._said
        parts = self._parts()
        return (*parts.head, *after_summary(parts.last, self._summary))

    def _summary_prompt(self) -> Prompt:
        """The older turns since the last summary, after it, and what asks for the next."""
        kept, parts = self._ask.kept, self._parts()
        assert kept is not None
        older = parts.older[max(self._summed - len(parts.head), 0) :]
        wanted = {"role": "user", "content": kept.summary_prompt}
        said = (*parts.head, *after_summary(older, self._summary), wanted)
        return Prompt(_text(said), None, kept.summary_tokens, said)

    def mark(self, row: RequestRecord) -> None:
        """Write down in a request's row what it asks."""
        row.task, row.attempt, row.repeat = self._ask.task, self._ask.attempt, self.is_repeat
        row.summary = self.wants_summary
        if self._ask.turns:
            row.session, row.turn = self._session, self.turn

    def answered(self, reply: str | None) -> None:
        """Go on to the next turn; None: the request failed, and with it the attempt."""
        if reply is not None and self.wants_summary:
            parts = self._parts()
            self._summary, self._summed = reply, len(parts.head) + len(parts.older)
            return
        self.is_over = reply is None or self.turn == len(self._ask.turns)
        if reply is not None and not self.is_over:
            spoken = {"role": "assistant", "content": reply}, {"role": "user", "content": self._ask.turns[self.turn]}
            self._said = (*self._said, *spoken)
            self.turn += 1


class RoundAsks:
    """The asks of a round. From the instant at which it opens each is given once, to whoever is next in any load
    process; before it, and when none is left, they are repeated."""

    def __init__(self, asks: Sequence[TaskAsk], positions: Iterator[int], *, salt: str, repeats: bool) -> None:
        self._asks = asks
        self._positions = positions
        self._salt = salt
        self._repeats = repeats
        self._repeated = 0
        self._opens_s = math.inf  # of the run

    @property
    def constraint(self) -> Constraint | None:
        """What one of them may be answered with alone; None: none is constrained."""
        found = (constraint_of(ask.schema, ask.grammar) for ask in self._asks)
        return next((one for one in found if one is not None), None)

    def open(self, opens_s: float) -> None:
        """What is due from `opens_s` on is an ask."""
        self._opens_s = opens_s

    def close(self) -> None:
        """No further ask is given."""
        self._opens_s = math.inf

    def take(self, due_s: float) -> TaskTalk | None:
        """What is asked at an instant of the run; None: nothing is left, and nothing is repeated."""
        if due_s >= self._opens_s:
            position = next(self._positions)
            if position < len(self._asks):
                return TaskTalk(self._asks[position])
            self.close()  # all are dealt
        return self.repeat() if self._repeats else None

    def repeat(self) -> TaskTalk:
        """One that is in no figure."""
        ask = self._asks[self._repeated % len(self._asks)]
        self._repeated += 1
        nonce = random.Random(f"{self._salt}/repeat/{self._repeated}").getrandbits(64)
        return TaskTalk(ask, f"{nonce:016x}")


class TaskConversation:
    """What one user asks in a round: one task after another."""

    stays = True  # a task of several turns keeps to one replica, where its history is cached

    def __init__(self, asks: RoundAsks, now_s: Callable[[], float]) -> None:
        self._asks = asks
        self._now_s = now_s
        self._talk: TaskTalk | None = None

    @property
    def turn(self) -> int:
        """Of the task that is on; 0: none is begun."""
        return 0 if self._talk is None else self._talk.turn

    def ask(self) -> Prompt | None:
        """The next request; None: nothing is left to ask."""
        if self._talk is None:
            self._talk = self._asks.take(self._now_s())
        return None if self._talk is None else self._talk.prompt()

    def mark(self, row: RequestRecord) -> None:
        """Write down in a request's row what it asks."""
        assert self._talk is not None
        self._talk.mark(row)

    def answered(self, reply: str | None, tokens: int | None = None) -> None:  # noqa: ARG002 - none is made up
        """Go on to the task's next turn, or to the next task."""
        assert self._talk is not None
        self._talk.answered(reply)
        if self._talk.is_over:
            self._talk = None


def _text(said: Sequence[Message]) -> str:
    return BETWEEN_MESSAGES.join(filter(None, map(text_of, said)))


def _apart(messages: tuple[Message, ...], nonce: str) -> tuple[Message, ...]:
    """The same, but that the first words of a user's are others: what all tasks share before them stays shared."""
    first = next((i for i, message in enumerate(messages) if message["role"] == "user"), 0)
    return (*messages[:first], *with_nonce(messages[first:], nonce))
