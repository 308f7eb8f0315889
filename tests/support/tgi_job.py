"""What the double of TGI generates: a script of tokens, and how it is told to misbehave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tgi_rules import Refusal

EOS = (2, "<|im_end|>", True)


@dataclass(frozen=True)
class Behaviour:
    """How the next requests are answered."""

    texts: tuple[str, ...] = (" tok",)  # of the generated tokens, over and over
    eos_after: int | None = None  # the end of sequence comes as the token after so many
    fail_after: int | None = None  # a generation error after so many tokens
    crash_after: int | None = None  # the connection ends after so many tokens
    keep_alives: bool = False  # a comment before the first token and after each
    space: bool = True  # after `data:`
    write: str = "events"  # events | bytes | all: what one write on the socket holds
    first_token_s: float = 0.0
    null_logprobs: bool = False


@dataclass(frozen=True)
class Token:
    id: int
    text: str
    special: bool
    finish: str | None = None  # length | eos_token on the last one

    def to_json(self, *, null_logprob: bool) -> dict[str, Any]:
        logprob = None if null_logprob else -0.5
        return {"id": self.id, "text": self.text, "logprob": logprob, "special": self.special}


@dataclass
class Job:
    """One validated generation."""

    inputs: str
    input_tokens: int
    max_new_tokens: int
    details: bool
    full_text: bool
    seed: int | None
    behaviour: Behaviour
    tokens: list[Token] = field(default_factory=list)

    def generate(self) -> Iterator[Token]:
        """The tokens, one by one; Refusal for an error, ConnectionAbortedError for a crash."""
        b = self.behaviour
        time.sleep(b.first_token_s)
        for n, text in enumerate(itertools.cycle(b.texts)):
            if n == b.fail_after:
                raise Refusal(424, "Request failed during generation: Server error: boom", "generation")
            if n == b.crash_after:
                raise ConnectionAbortedError
            token = Token(100 + n, text, False)
            if n == b.eos_after:
                token = Token(*EOS, finish="eos_token")
            elif n + 1 == self.max_new_tokens:
                token = Token(100 + n, text, False, finish="length")
            self.tokens.append(token)
            yield token
            if token.finish:
                return

    @property
    def text(self) -> str:
        made = "".join(token.text for token in self.tokens if not token.special)
        return self.inputs + made if self.full_text else made

    def details_json(self, *, stream: bool) -> dict[str, Any]:
        details: dict[str, Any] = {
            "finish_reason": self.tokens[-1].finish, "generated_tokens": len(self.tokens), "seed": self.seed,
        }  # fmt: skip
        nulls = self.behaviour.null_logprobs
        more = {"prefill": [], "tokens": [token.to_json(null_logprob=nulls) for token in self.tokens]}
        return details | ({"input_length": self.input_tokens} if stream else more)
