"""The prompts of a file: texts, chats, or recorded conversations. Every row is checked when the file is read.

| format | a row |
|---|---|
| jsonl, csv | `prompt` (or `text`), or `messages` (a chat as it is; in a CSV as JSON); a length if it is known |
| sharegpt | a recorded conversation: `conversations` of from and value, or `messages` of role and content |
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from harness.base.errors import UsageError
from harness.scenario.prompt_rows import RawRow, raw_rows, shown
from harness.scenario.prompts import FilePrompts
from harness.scenario.sharegpt import recorded_turns
from harness.scenario.strict import MOST_TOKENS
from harness.scenario.turns import LeftOut, Message, Turn, text_of

LENGTH_COLUMNS = ("output_tokens", "completion_tokens", "max_completion_tokens", "max_tokens")  # the first given counts
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class PromptFile:
    """All rows of a file, each its turns in order (one, but for a conversation), and what was left out of it."""

    rows: list[tuple[Turn, ...]]
    left_out: LeftOut = field(default_factory=Counter)


def read_prompt_file(spec: FilePrompts, base_dir: Path) -> PromptFile:
    """Read and check every row.

    Raises:
        UsageError: no such file, another layout, a row that cannot be asked (with line and column), no prompt in it.
    """
    path = base_dir / spec.path
    file = PromptFile([])
    columns: list[str] = []
    for raw in raw_rows(path, spec.format):
        columns = columns or [str(name) for name in raw.cells]
        turns = recorded_turns(raw, file.left_out) if spec.format == "sharegpt" else _single(raw, spec, file.left_out)
        if turns:
            _check_can_be_sent(raw, turns)
            file.rows.append(turns)
    if not file.rows:
        named = f"its first row has {shown(', '.join(columns))}" if columns else "it has no row"
        raise UsageError(f"{path} holds no prompt: {named}", hint=_NEEDED[spec.format])
    return file


_NEEDED = {
    "csv": "a column `prompt` (or `text`, or `messages`), and rows under it",
    "jsonl": "a `prompt` (or `text`, or `messages`) in each object",
    "sharegpt": "`conversations` of {from: human, value: ...}, or `messages` of {role: user, content: ...}",
}


def _single(raw: RawRow, spec: FilePrompts, left_out: LeftOut) -> tuple[Turn, ...]:
    """A row that is one request: a text, or a chat as it is; () where there is neither."""
    messages = _messages(raw)
    if not any(text_of(message).strip() for message in messages):
        left_out["row", "without a prompt"] += 1
        return ()
    return (Turn(messages, output_tokens=_length(raw) if spec.output_tokens is None else None),)


def _messages(raw: RawRow) -> tuple[Message, ...]:
    cells = raw.cells
    if cells.get("messages") in (None, "", []):
        text = cells.get("prompt") or cells.get("text") or ""
        if not isinstance(text, str):
            column = "prompt" if cells.get("prompt") else "text"
            raise raw.wrong(column, "text", text, "a list of messages is `messages`")
        return ({"role": "user", "content": text},)
    if cells.get("prompt") or cells.get("text"):
        raise raw.wrong("messages", "empty where there is a prompt", cells["messages"], "a row is a text or a chat")
    messages = cells["messages"]
    if isinstance(messages, str):
        try:
            messages = json.loads(messages)
        except (ValueError, RecursionError):
            raise raw.wrong("messages", "a list in JSON", messages, _CHAT_HINT) from None
    if not isinstance(messages, list):
        raise raw.wrong("messages", "a list", messages, _CHAT_HINT)
    for number, message in enumerate(messages, start=1):
        _check_message(raw, f"messages[{number}]", message)
    return tuple(messages)


_CHAT_HINT = '[{"role": "user", "content": "..."}, ...]'


def _check_message(raw: RawRow, place: str, message: Any) -> None:
    if not isinstance(message, dict):
        raise raw.wrong(place, "an object", message, _CHAT_HINT)
    if not isinstance(message.get("role"), str) or not message["role"]:
        raise raw.wrong(f"{place}.role", "a role", message.get("role"), _CHAT_HINT)
    if not isinstance(message.get("content"), str | list | None):
        raise raw.wrong(f"{place}.content", "text", message["content"], _CHAT_HINT)


def _length(raw: RawRow) -> int | None:
    """Tokens to ask for, as the row says; None where it says nothing."""
    for column in LENGTH_COLUMNS:
        value = raw.cells.get(column)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        number = _number(value)
        if number is None or not 1 <= number <= MOST_TOKENS or number != int(number):
            raise raw.wrong(column, f"a whole number from 1 to {MOST_TOKENS:,}", value, _LENGTH_HINT)
        return int(number)
    return None


_LENGTH_HINT = (
    "tokens to generate; leave it empty where they are not known, or say one length for all with"
    " `prompts.output_tokens`"
)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _check_can_be_sent(raw: RawRow, turns: tuple[Turn, ...]) -> None:
    """JSON can hold what no request can: half a character, an integer of a hundred digits."""
    for turn in turns:
        try:
            orjson.dumps((turn.messages, turn.answer))
        except TypeError as error:
            where = f"{raw.path}:{raw.line} (row {raw.number})"
            text = f"{where}: a prompt that cannot be sent: {error}: {shown(''.join(map(text_of, turn.messages)))}"
            raise UsageError(text, hint="mend or leave out that row") from None
