"""The rows of a prompt file, handed out in the scenario's order: position after position, whoever asks.

The order is the same however many load processes there are; which position is whose: `positions`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from harness.load.plan import Learned
from harness.load.prompts.prompt import Prompt, draw_length
from harness.rundir.records import RequestRecord
from harness.scenario.prompt_file import PromptFile
from harness.scenario.prompt_survey import output_tokens_of
from harness.scenario.prompts import CHARS_PER_TOKEN, FilePrompts
from harness.scenario.turns import BETWEEN_MESSAGES, Turn, asked, text_of, with_nonce


class RowOrder:
    """Which of `count` rows is at a position of the order."""

    def __init__(self, order: str, count: int, seed: int) -> None:
        self._order = order
        self._count = count
        self._seed = seed
        self._round = -1
        self._shuffled: list[int] = []

    def at(self, position: int) -> int:
        """The row at a position, from 0."""
        if self._order == "draw":
            return random.Random(f"{self._seed}/draw/{position}").randrange(self._count)
        number, place = divmod(position, self._count)
        if self._order == "file":
            return place
        if number != self._round:
            self._round, self._shuffled = number, list(range(self._count))
            random.Random(f"{self._seed}/round/{number}").shuffle(self._shuffled)
        return self._shuffled[place]


@dataclass(frozen=True, slots=True)
class Taken:
    """A row at its position: so many requests, of which the first is number `first` of the file's row."""

    position: int
    row: int
    first: int
    requests: int


class FileRows:
    """Rows at a process's `positions`; a row is a whole conversation, or each of its questions apart."""

    def __init__(
        self, spec: FilePrompts, file: PromptFile, *, seed: int, salt: str, whole: bool, positions: Iterator[int]
    ) -> None:
        self._spec = spec
        self._rows = file.rows
        self._seed = seed
        self._salt = salt
        self._units = [
            unit
            for row, turns in enumerate(file.rows)
            for unit in ([(row, 0, len(turns))] if whole else [(row, turn, 1) for turn in range(len(turns))])
        ]
        self._order = RowOrder(spec.order, len(self._units), seed)
        self._order.at(0)  # a long shuffle is over before the load begins
        self._positions = positions
        self._put_back: list[Taken] = []
        self._counted: dict[tuple[int, int], int] = {}
        self._chars_per_token: float = CHARS_PER_TOKEN

    def take(self) -> Taken:
        """The next row that is this process's."""
        return self._put_back.pop() if self._put_back else self._at(next(self._positions))

    def put_back(self, taken: Taken) -> None:
        """It is not asked after all: it is the next again."""
        self._put_back.append(taken)

    def _at(self, position: int) -> Taken:
        return Taken(position, *self._units[self._order.at(position)])

    def prompt(self, taken: Taken, turn: int = 0) -> Prompt:
        """Its request number `turn`, from 0; all of a row's begin alike, and no two rows do."""
        number = taken.first + turn
        turns = self._rows[taken.row]
        messages = asked(turns, number)
        if self._spec.nonce:
            nonce = random.Random(f"{self._salt}/row/{taken.position}").getrandbits(64)
            messages = with_nonce(messages, f"{nonce:016x}")
        text = BETWEEN_MESSAGES.join(filter(None, map(text_of, messages)))
        return Prompt(text, None, self._output_tokens(taken, number, turns[number]), messages)

    def _output_tokens(self, taken: Taken, number: int, turn: Turn) -> int:
        if self._spec.output_tokens is not None:
            return draw_length(
                self._spec.output_tokens, random.Random(f"{self._seed}/row/{taken.position}/{number}/reply")
            )
        counted = self._counted.get((taken.row, number))
        return counted if counted is not None else output_tokens_of(turn, self._chars_per_token)

    def recorded(self, most: int) -> Iterator[tuple[int, int, str]]:
        """(row, request, recorded answer) of those whose length gives what is asked for, in the order of their use."""
        if self._spec.output_tokens is not None:
            return
        seen: set[tuple[int, int]] = set()
        for position in range(len(self._units)):
            taken = self._at(position)
            for number in range(taken.first, taken.first + taken.requests):
                turn = self._rows[taken.row][number]
                if turn.answer is None or (taken.row, number) in seen:
                    continue
                if len(seen) == most:
                    return
                seen.add((taken.row, number))
                yield taken.row, number, turn.answer

    def learn(self, learned: Learned) -> None:
        """Lengths of recorded answers, as the endpoint's tokenizer has counted them."""
        self._counted = {(row, number): tokens for row, number, tokens in learned.answer_tokens}
        self._chars_per_token = learned.chars_per_token


class RecordedConversation:
    """The recorded conversations of one user, one after another; what the server replies is not kept."""

    def __init__(self, rows: FileRows, user: int) -> None:
        self._rows = rows
        self._user = user
        self._taken: Taken | None = None
        self.number = 0
        self.turn = 0

    @property
    def session(self) -> str:
        """The conversation's name: the user's number and how many it had before."""
        return f"{self._user}-{self.number}"

    @property
    def stays(self) -> bool:
        """It keeps to one replica, where its history is cached."""
        return True

    def mark(self, row: RequestRecord) -> None:
        """Write down in a request's row what it asks; it is asked from its first question on."""
        row.session, row.turn, row.entered = self.session, self.turn, False

    def ask(self) -> Prompt:
        """The next question, with all that was said and answered before it in the file."""
        if self._taken is None:
            self._taken = self._rows.take()
        return self._rows.prompt(self._taken, self.turn)

    def answered(self, reply: str | None, tokens: int | None = None) -> None:  # noqa: ARG002 - the recorded one stands
        """The next question, or after the last one the next conversation."""
        assert self._taken is not None
        self.turn += 1
        if self.turn == self._taken.requests:
            self._taken = None
            self.number += 1
            self.turn = 0
