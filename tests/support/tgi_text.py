"""The double's tokens of a text: its words, but where the real server's chat template is counted."""

from __future__ import annotations

import re
from typing import Any

# SmolLM2's, whose tokens without a message's own are 30
_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
_PIECES = re.compile(
    r"<\|im_\w+\|>|\n(?=<\|)|(?<=system)\n|(?<=user)\n|(?<=assistant)\n"
    r"| Sm(?=olLM)|ol(?=LM)|LM(?=,)|(?<=LM),| H(?=ugging)|ass(?=istant\n)"
    r"|\s*(?:(?!<\|im_)\S)+?(?=\s|<\|im_|olLM|LM,|ugging|,\s|$)|\s+"
)


def words(text: str) -> list[str]:
    """The tokens."""
    return _PIECES.findall(text)


def templated(messages: list[dict[str, Any]]) -> str:
    """The prompt of a conversation."""
    system = [] if messages and messages[0]["role"] == "system" else [("system", _SYSTEM)]
    said = [*system, *((one["role"], content(one.get("content"))) for one in messages)]
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in said) + "<|im_start|>assistant\n"


def content(value: Any) -> str:
    """A message's text, in one piece or in parts."""
    if isinstance(value, list):
        return "".join(part.get("text", "") for part in value)
    return value or ""


def tokens(text: str) -> list[dict[str, Any]]:
    """As /tokenize lists them."""
    found, start = [], 0
    for n, word in enumerate(words(text)):
        found.append({"id": n, "text": word, "start": start, "stop": start + len(word)})
        start += len(word)
    return found
