"""Answers to tasks: what a test says, as a stream that ends by itself.

with Endpoint(post=answering(lambda call: "42" if "sum" in call.text else "no")) as server:
"""

from __future__ import annotations

import json
from collections.abc import Callable

from endpoint import NOT_FOUND, Call, Reply


def answering(answer: Callable[[Call], str | Reply], *, after_s: float = 0.01) -> Callable[[Call], Reply]:
    """A server of chat and completions; `after_s`: until an answer is there."""

    def post(call: Call) -> Reply:
        if "completions" not in call.path:
            return NOT_FOUND
        said = answer(call)
        return said if isinstance(said, Reply) else spoken(call, said, after_s=after_s)

    return post


def spoken(call: Call, text: str, *, after_s: float = 0.0) -> Reply:
    """A stream that says `text`, a word an event and a token, and stops."""
    is_chat = "messages" in call.body
    words = [word if i == 0 else f" {word}" for i, word in enumerate(text.split(" "))]
    said = [{"delta": {"content": word}} if is_chat else {"text": word} for word in words]
    end = {"delta": {}} if is_chat else {"text": ""}
    counts = {"prompt_tokens": len(call.text.split()), "completion_tokens": len(words)}
    events: list[object] = [{"choices": [{"index": 0, "finish_reason": None, **one}]} for one in said]
    events.append({"choices": [{"index": 0, "finish_reason": "stop", **end}]})
    events.append({"choices": [], "usage": counts | {"total_tokens": sum(counts.values())}})
    lines = [*(json.dumps(event) for event in events), "[DONE]"]
    body = "".join(f"data: {line}\n\n" for line in lines).encode()
    return Reply(200, body, {"content-type": "text/event-stream"}, after_s)
