"""How much of a long conversation each of its turns sends: all of it, its last turns, or those after a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from harness.scenario.strict import MOST_TOKENS, Strict
from harness.scenario.turns import Message

SUMMARY_PROMPT = (
    "Summarise the conversation so far in a few sentences for whoever continues it. Keep every fact, number, name and "
    "wish. Say nothing else."
)
_SUMMARY_SAID = "Summary of the conversation so far: {summary}\n\n"
_Turns = Annotated[int, Field(ge=1, strict=True)]


class LastTurns(Strict):
    """What stood before the first user's word, and the last turns: each a user's word and the reply to it."""

    last_turns: _Turns = Field(description="So many, the one that is asked now among them.")


class SummaryOf(Strict):
    """How the older turns are summarised, by the model that is asked."""

    last_turns: _Turns = Field(default=1, description="So many are sent as they were, the one asked now among them.")
    output_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS, strict=True)] = Field(
        default=128, description="Of a summary, at most."
    )
    prompt: str = Field(default=SUMMARY_PROMPT, min_length=1, description="What asks for it.")


class Summarised(Strict):
    """The last turns after a summary of those before, each of which is read by one request for a summary."""

    summary: SummaryOf


Context = Literal["all"] | LastTurns | Summarised


@dataclass(frozen=True, slots=True)
class Kept:
    """A policy as load is told it; `summary_prompt` empty: what is older is left out."""

    last_turns: int
    summary_prompt: str = ""
    summary_tokens: int = 0


def kept_of(context: Context) -> Kept | None:
    """None: all of it is sent."""
    match context:
        case LastTurns():
            return Kept(context.last_turns)
        case Summarised(summary=of):
            return Kept(of.last_turns, of.prompt, of.output_tokens)
        case _:
            return None


def context_words(context: Context) -> str:
    """`all`, `last 2 turns`, `summary and last turn`."""
    kept = kept_of(context)
    if kept is None:
        return "all"
    turns = "last turn" if kept.last_turns == 1 else f"last {kept.last_turns} turns"
    return f"summary and {turns}" if kept.summary_prompt else turns


@dataclass(frozen=True, slots=True)
class Parts:
    """A conversation's messages: those before the first user's word, its older turns, and its last ones."""

    head: tuple[Message, ...]
    older: tuple[Message, ...]
    last: tuple[Message, ...]


def parted(said: Sequence[Message], last_turns: int) -> Parts:
    """`said` ends with a user's word."""
    begins = [i for i, message in enumerate(said) if message["role"] == "user"]
    first = begins[0] if begins else 0
    cut = begins[-last_turns] if len(begins) >= last_turns else first
    return Parts(tuple(said[:first]), tuple(said[first:cut]), tuple(said[cut:]))


def after_summary(messages: tuple[Message, ...], summary: str) -> tuple[Message, ...]:
    """The turns, the first word of which tells the summary: templates want user and assistant by turns."""
    if not summary or not messages:
        return messages
    first, told = messages[0], _SUMMARY_SAID.format(summary=summary)
    content = first["content"]
    whole = f"{told}{content}" if isinstance(content, str) else [{"type": "text", "text": told}, *content]
    return ({**first, "content": whole}, *messages[1:])
