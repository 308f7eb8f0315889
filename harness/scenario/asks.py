"""What a round of tasks asks: a file of one JSON line each, written before the load and read by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from harness.base.whole import written_whole
from harness.scenario.context import Kept
from harness.scenario.turns import Message


@dataclass(frozen=True, slots=True)
class TaskAsk:
    """One attempt at one task: what is said, and what was said by the user after each real reply."""

    task: str
    attempt: int  # from 1
    messages: tuple[Message, ...]
    max_tokens: int
    turns: tuple[str, ...] = ()  # further user's turns, in order; the reply to the last one is judged
    complaints: int = 0  # of `turns`, the last ones that complain of the reply before: they belong to the turn of that
    schema: Any = None  # the server is to allow only what fits it
    grammar: str | None = None
    kept: Kept | None = None  # of what was said before, with each of `turns`; None: all


def asks_file(run_dir: Path, round_number: int) -> Path:
    """Where the asks of a round lie, from round 1."""
    return run_dir / f"asks-{round_number}.jsonl"


def write_asks(path: Path, asks: Iterable[TaskAsk]) -> None:
    """The asks of a round, whole or not at all."""
    with written_whole(path) as place:
        place.write_bytes(b"".join(orjson.dumps(ask, option=orjson.OPT_APPEND_NEWLINE) for ask in asks))


def read_asks(path: Path) -> tuple[TaskAsk, ...]:
    """The asks of a round, as they were written."""
    return tuple(_ask(orjson.loads(line)) for line in path.read_bytes().splitlines())


def _ask(line: dict[str, Any]) -> TaskAsk:
    kept = None if line["kept"] is None else Kept(**line["kept"])
    return TaskAsk(**{**line, "messages": tuple(line["messages"]), "turns": tuple(line["turns"]), "kept": kept})
