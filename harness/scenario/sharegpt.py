"""Recorded conversations, as ShareGPT's files have them: who said what. What cannot be asked again is counted.

Neighbours of one speaker are one message, so that questions and answers alternate, as chat templates want it.
"""

from typing import Any

from harness.scenario.prompt_rows import RawRow
from harness.scenario.turns import BETWEEN_MESSAGES, LeftOut, Turn, text_of

TALKS = ("conversations", "conversation", "messages")  # the keys that have been seen, in files of one shape
SPEAKERS = {
    "human": "user", "user": "user",
    "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant", "model": "assistant", "bot": "assistant",
    "bard": "assistant", "bing": "assistant",
    "system": "system",
}  # fmt: skip

Said = list[tuple[str, str]]  # role, text


def recorded_turns(raw: RawRow, left_out: LeftOut) -> tuple[Turn, ...]:
    """The questions of a conversation with their answers; () where nothing is asked.

    Raises:
        UsageError: it is not laid out so; names the turn.
    """
    said: Said = []
    system = raw.cells.get("system")
    if system is not None and not isinstance(system, str):
        raise raw.wrong("system", "text", system)
    if system and system.strip():
        said.append(("system", system))
    key = next((key for key in TALKS if raw.cells.get(key) is not None), TALKS[0])
    talk = raw.cells.get(key, [])
    if not isinstance(talk, list):
        raise raw.wrong(key, "a list", talk, "of {from, value}, or of {role, content}")
    for number, turn in enumerate(talk, start=1):
        _hear(said, raw, f"{key}[{number}]", turn, left_out)
    turns = _questions(said, left_out)
    if not turns:
        left_out["conversation", "without a question"] += 1
    return turns


def _hear(said: Said, raw: RawRow, place: str, turn: Any, left_out: LeftOut) -> None:
    """Take one turn into what was said."""
    if not isinstance(turn, dict):
        raise raw.wrong(place, "an object", turn, '{"from": "human", "value": "..."}')
    speaker, key = turn.get("from", turn.get("role")), "value" if "value" in turn else "content"
    if not isinstance(speaker, str):
        raise raw.wrong(f"{place}.from", "a speaker", speaker, "human, gpt or system; or as `role`: user, assistant")
    if not isinstance(turn.get(key), str | list | None):
        raise raw.wrong(f"{place}.{key}", "text", turn[key])
    role, text = SPEAKERS.get(speaker.strip().lower()), text_of({"content": turn.get(key)})
    if role is None:
        left_out["turn", "of another speaker than user, assistant and system"] += 1
    elif not text.strip():
        left_out["turn", "without text"] += 1
    elif said and said[-1][0] == role:
        said[-1] = (role, said[-1][1] + BETWEEN_MESSAGES + text)
    else:
        said.append((role, text))


def _questions(said: Said, left_out: LeftOut) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    pending: list[dict[str, str]] = []
    for role, text in said:
        is_asked = any(message["role"] == "user" for message in pending)
        if role != "assistant":
            pending.append({"role": role, "content": text})
        elif is_asked:
            turns.append(Turn(tuple(pending), text))
            pending = []
        else:
            left_out["answer", "without a question before it"] += 1
    if any(message["role"] == "user" for message in pending):
        turns.append(Turn(tuple(pending)))
    return tuple(turns)
