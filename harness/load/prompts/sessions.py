"""Conversations that grow: every turn sends all that was said before, the server's own replies among it."""

import random

from harness.load.prompts.prompt import Prompt, draw_length
from harness.load.prompts.texts import PromptSource
from harness.scenario import SessionPrompts


class Conversation:
    """The conversations of one user, one after another. Text depends on seed, salt, user and replies alone.

    Turn i, from 0, has base_tokens + growth_tokens * i input tokens where replies have the length asked for; a
    chat route's template comes on top. For a completions route the turns are one text, each a continuation of
    the last, so that a prefix cache may hit all but the last reply and question.
    """

    def __init__(self, spec: SessionPrompts, prompts: PromptSource, user: int, seed: int) -> None:
        self._spec = spec
        self._prompts = prompts
        self._user = user
        self._seed = seed
        self.number = 0
        self.turn = 0
        self._said: list[dict[str, str]] = []
        self._reply_tokens = 0  # asked for at the last turn

    @property
    def session(self) -> str:
        """The conversation's name: the user's number and how many it had before."""
        return f"{self._user}-{self.number}"

    @property
    def stays(self) -> bool:
        """Whether it keeps to one replica, where its history is cached."""
        return self._spec.affinity == "session"

    def ask(self) -> Prompt:
        """The next turn's prompt."""
        spec = self._spec
        key = f"{self._user}/{self.number}/{self.turn}"
        if self.turn == 0:
            tokens = spec.base_tokens - self._prompts.prefix_tokens
            self._said = [{"role": "system", "content": self._prompts.prefix}] if self._prompts.prefix else []
        else:
            tokens = max(spec.growth_tokens - self._reply_tokens, 1)
        self._said.append({"role": "user", "content": self._prompts.words(key, tokens)})
        self._reply_tokens = draw_length(spec.output_tokens, random.Random(f"{self._seed}/{key}/reply"))
        text = "".join(message["content"] for message in self._said)
        return Prompt(text, None, self._reply_tokens, tuple(self._said))

    def answered(self, reply: str | None) -> None:
        """Take the reply into the history; None (the turn failed) ends the conversation, as its last turn does."""
        self.turn += 1
        if reply is None or self.turn >= self._spec.turns:
            self.number += 1
            self.turn = 0
            return
        self._said = [*self._said, {"role": "assistant", "content": reply}]
