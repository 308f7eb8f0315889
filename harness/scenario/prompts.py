"""What is asked: synthetic text, prompts of a file, or conversations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.scenario.strict import MOST_TOKENS, Strict
from harness.scenario.tasks import TaskPrompts


class LengthSpread(Strict):
    """A token length drawn per request from a normal distribution, cut at min and max."""

    mean: float = Field(gt=0, le=MOST_TOKENS, description="Mean length in tokens.")
    stdev: float = Field(default=0, ge=0, le=MOST_TOKENS, description="Standard deviation in tokens.")
    min: int = Field(default=1, ge=1, le=MOST_TOKENS, description="No request is shorter, in tokens.")
    max: int | None = Field(default=None, ge=1, le=MOST_TOKENS, description="No request is longer, in tokens.")

    @model_validator(mode="after")
    def _ordered(self) -> LengthSpread:
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max ({self.max}) must not be below min ({self.min})")
        return self


Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)]
TokensOrNone = Annotated[int, Field(ge=0, le=MOST_TOKENS, strict=True)]
Length = Tokens | LengthSpread


class SyntheticPrompts(Strict):
    """Seeded random text of a wanted token length; each prompt starts with a nonce, so no cache can hit."""

    kind: Literal["synthetic"] = "synthetic"
    input_tokens: Length = Field(default=800, description="Prompt length in tokens.")
    output_tokens: Length = Field(default=250, description="Generated tokens asked for.")
    shared_prefix_tokens: TokensOrNone = Field(
        default=0, description="Tokens at the start that every prompt shares (system prompt)."
    )

    @model_validator(mode="after")
    def _prefix_fits(self) -> SyntheticPrompts:
        longest = most_tokens(self.input_tokens)
        if self.shared_prefix_tokens > longest:
            raise ValueError(
                f"shared_prefix_tokens ({self.shared_prefix_tokens}) must not be above input_tokens ({longest})"
            )
        return self


DEFAULT_OUTPUT_TOKENS = 250  # asked for where a file says nothing
CHARS_PER_TOKEN = 4  # the usual estimate for English, where an endpoint cannot count


class FilePrompts(Strict):
    """Prompts from a file: ShareGPT JSON (recorded conversations), JSONL or CSV (a text or a chat a row)."""

    kind: Literal["file"]
    path: str = Field(description="The file; relative to the scenario.")
    format: Literal["sharegpt", "jsonl", "csv"] = Field(default="jsonl", description="How the file is laid out.")
    order: Literal["file", "shuffle", "draw"] = Field(
        default="shuffle",
        description="Which row is next: as they stand in the file (from the start again after the last); each once a "
        "round, shuffled by the seed for every round; or drawn by the seed, with replacement.",
    )
    output_tokens: Length | None = Field(
        default=None,
        description="Generated tokens asked for; none: what each row says (in ShareGPT the length of the recorded "
        f"answer), else {DEFAULT_OUTPUT_TOKENS}.",
    )
    nonce: bool = Field(
        default=True, description="Start each prompt with a few letters of its own, so that no cache can hit."
    )


class SessionPrompts(Strict):
    """Conversations: turn i, from 0, has base + growth * i input tokens, the real replies among them."""

    kind: Literal["sessions"]
    turns: int = Field(default=4, ge=1, le=10_000, strict=True, description="Turns of one conversation.")
    base_tokens: Tokens = Field(default=300, description="Input tokens of the first turn.")
    growth_tokens: Tokens = Field(default=350, description="Input tokens each turn adds: last reply and new question.")
    output_tokens: Length = Field(default=250, description="Generated tokens asked for at each turn.")
    shared_prefix_tokens: TokensOrNone = Field(
        default=0, description="Tokens of base_tokens that all conversations share (system prompt)."
    )
    affinity: Literal["session", "none"] = Field(
        default="session", description="session: a conversation keeps to one of several URLs, where its history is."
    )

    @model_validator(mode="after")
    def _fits(self) -> SessionPrompts:
        reply = self.output_tokens if isinstance(self.output_tokens, int) else self.output_tokens.mean
        if self.turns > 1 and self.growth_tokens <= reply:
            raise ValueError(
                f"growth_tokens ({self.growth_tokens}) must be above output_tokens ({reply:g}): "
                "a turn adds the last reply and a new question"
            )
        if self.shared_prefix_tokens >= self.base_tokens:
            raise ValueError(
                f"shared_prefix_tokens ({self.shared_prefix_tokens}) must be below base_tokens ({self.base_tokens})"
            )
        return self

    def input_tokens(self, turn: int) -> int:
        """Input tokens of a turn, from 0."""
        return self.base_tokens + self.growth_tokens * turn

    @property
    def mean_input_tokens(self) -> float:
        """Input tokens of the mean request: each turn is as frequent as the others."""
        return (self.input_tokens(0) + self.input_tokens(self.turns - 1)) / 2


Prompts = SyntheticPrompts | FilePrompts | SessionPrompts | TaskPrompts


def mean_tokens(length: Length) -> float:
    """The mean of a length."""
    return float(length) if isinstance(length, int) else length.mean


def most_tokens(length: Length) -> int:
    """The longest that is to be expected: max, or four standard deviations above the mean."""
    if isinstance(length, int):
        return length
    return length.max if length.max is not None else round(length.mean + 4 * length.stdev)
