"""What a row of a prompt file is made of: one request after another, each with what is said in it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Message = Mapping[str, Any]
LeftOut = Counter[tuple[str, str]]  # a thing, and what is the matter with it: ("row", "without a prompt")

BETWEEN_MESSAGES = "\n\n"  # where a chat is sent as one text


@dataclass(frozen=True, slots=True)
class Turn:
    """One request of a row: what is said in it, and what was answered then."""

    messages: tuple[Message, ...]  # said since the last answer
    answer: str | None = None  # recorded; later turns have it before them
    output_tokens: int | None = None  # as the row's own column says


def text_of(message: Message) -> str:
    """What a message says in words; pictures and the like say nothing."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    parts = [part.get("text") for part in content or () if isinstance(part, dict)]
    return "".join(text for text in parts if isinstance(text, str))


def asked(turns: tuple[Turn, ...], number: int) -> tuple[Message, ...]:
    """All messages of a row's request `number`, from 0: what was said and answered before, then its own."""
    before: list[Message] = []
    for turn in turns[:number]:
        before += turn.messages
        if turn.answer is not None:
            before.append({"role": "assistant", "content": turn.answer})
    return (*before, *turns[number].messages)


def with_nonce(messages: tuple[Message, ...], nonce: str) -> tuple[Message, ...]:
    """The same, but that the first words said are others."""
    for number, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, str):
            changed: Any = f"{nonce} {content}"
        elif content and text_of(message):
            changed = [{"type": "text", "text": f"{nonce} "}, *content]
        else:
            continue
        return (*messages[:number], {**message, "content": changed}, *messages[number + 1 :])
    return messages
