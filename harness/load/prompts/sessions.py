"""Conversations that grow: every turn sends all that was said before, the server's own replies among it."""

import random

from harness.load.prompts.prompt import Prompt, draw_length
from harness.load.prompts.texts import PromptSource
from harness.rundir.records import RequestRecord
from harness.scenario import SessionPrompts


class Conversation:
    """The conversations of one user, one after another. Text depends on seed, salt, user and replies alone.

    Turn i, from 0, has base_tokens + growth_tokens * i input tokens: the question makes up for a reply of another
    length, and for what a chat route's template adds, as far as that is known. For a completions route the turns are
    one text, each a continuation of the last, so that a prefix cache may hit all but the last reply and question.

    The first one is entered at `turn`; what was said before is made up, questions and replies of their lengths.
    """

    def __init__(self, spec: SessionPrompts, prompts: PromptSource, user: int | str, seed: int, turn: int = 0) -> None:
        self._spec = spec
        self._prompts = prompts
        self._user = user
        self._seed = seed
        self.number = 0
        self.turn = turn
        self._said: list[dict[str, str]] = []
        self._said_tokens = 0
        self._is_begun = False
        self._enters = False  # the turn that was asked last follows on what was never sent

    @property
    def session(self) -> str:
        """The conversation's name: the user's number and how many it had before."""
        return f"{self._user}-{self.number}"

    @property
    def stays(self) -> bool:
        """Whether it keeps to one replica, where its history is cached."""
        return self._spec.affinity == "session"

    def mark(self, row: RequestRecord) -> None:
        """Write down in the row of the turn asked last what it is; no prefix cache can know one that enters."""
        row.session, row.turn, row.entered = self.session, self.turn, self._enters

    def ask(self) -> Prompt:
        """The next turn's prompt."""
        self._enters = not self._is_begun and self.turn > 0
        if not self._is_begun:
            self._begin()
        self._question(self.turn)
        text = "".join(message["content"] for message in self._said)
        return Prompt(text, None, self._reply_tokens(self.turn), tuple(self._said))

    def answered(self, reply: str | None, tokens: int | None = None) -> None:
        """Take the reply into the history (of `tokens`; none: as many as were asked for), and go on to the next turn.

        None: the turn failed. The user goes on as after a reply, which is made up: each turn stays as frequent as
        the others.
        """
        if reply is None:
            self._made_up_reply(self.turn)
        else:
            asked = self._reply_tokens(self.turn)
            self._say("assistant", reply, 0 if not reply else asked if tokens is None else tokens)
        self.turn += 1
        if self.turn >= self._spec.turns:
            self.number += 1
            self.turn = 0
            self._is_begun = False

    def _begin(self) -> None:
        self._is_begun = True
        self._said, self._said_tokens = [], 0
        if self._prompts.prefix:
            self._say("system", self._prompts.prefix, self._prompts.prefix_tokens)
        for turn in range(self.turn):
            self._question(turn)
            self._made_up_reply(turn)

    def _question(self, turn: int) -> None:
        added_tokens = self._prompts.vocabulary.added_tokens(turn)
        tokens = max(self._spec.input_tokens(turn) - added_tokens - self._said_tokens, 1)
        self._say("user", self._prompts.words(self._key(turn), tokens), tokens)

    def _made_up_reply(self, turn: int) -> None:
        tokens = self._reply_tokens(turn)
        self._say("assistant", self._prompts.words(f"{self._key(turn)}/reply", tokens), tokens)

    def _say(self, role: str, content: str, tokens: int) -> None:
        self._said.append({"role": role, "content": content})
        self._said_tokens += tokens

    def _reply_tokens(self, turn: int) -> int:
        return draw_length(self._spec.output_tokens, random.Random(f"{self._seed}/{self._key(turn)}/reply"))

    def _key(self, turn: int) -> str:
        return f"{self._user}/{self.number}/{turn}"
