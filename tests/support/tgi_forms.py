"""What TGI's router says on its native and on its OpenAI routes of the same generation, key by key in its order."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tgi_job import Job, Token
from tgi_rules import Refusal

MODEL = "double/model"
FINGERPRINT = "3.3.6-dev0-native"


def dumped(data: Any) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def sse(data: dict[str, Any]) -> bytes:
    return b"data: " + dumped(data) + b"\n\n"


class Native:
    """/generate and /generate_stream."""

    def event(self, index: int, _: int, token: Token, job: Job) -> list[bytes]:
        """What one token is sent as; `place` is its prompt's among several."""
        last = token.finish is not None
        return [sse({
            "index": index,
            "token": token.to_json(null_logprob=job.behaviour.null_logprobs),
            "generated_text": job.text if last else None,
            "details": job.details_json(stream=True) if last and job.details else None,
        })]  # fmt: skip

    def error(self, refusal: Refusal) -> bytes:
        return sse({"error": refusal.text, "error_type": refusal.kind})

    def ends(self, _: Sequence[Job]) -> list[bytes]:
        """What follows the last token, or the error (no jobs)."""
        return []


@dataclass(frozen=True)
class OpenAi:
    """The body that was sent to /v1/chat/completions or /v1/completions, and how it is answered."""

    data: dict[str, Any]
    chat: bool
    created: int = field(default_factory=lambda: int(time.time()))

    def parameters(self) -> dict[str, Any]:
        """Temperature 0 is greedy, none at all is sampling."""
        data = self.data
        greedy = data.get("temperature") == 0
        names = ("top_p", "frequency_penalty", "repetition_penalty", "seed")
        more = {name: data[name] for name in names if data.get(name) is not None}
        if not greedy and data.get("temperature") is not None:
            more["temperature"] = data["temperature"]
        if self.chat and data.get("presence_penalty") is not None:
            more["repetition_penalty"] = data["presence_penalty"] + 2.0
        asked = [data[name] for name in ("max_tokens", "max_completion_tokens") if data.get(name) is not None]
        most = asked[0] if asked else 100
        return {
            "do_sample": not greedy,
            "max_new_tokens": most,
            "details": True,
            "stop": data.get("stop") or [],
            **more,
        }

    def whole(self, jobs: Sequence[Job]) -> dict[str, Any]:
        choices = []
        for place, job in enumerate(jobs):
            said = {"message": {"role": "assistant", "content": job.text}} if self.chat else {"text": job.text}
            choices.append({"index": place, **said, "logprobs": None, "finish_reason": self._finish(job.tokens[-1])})
        return {**self._head(), **self._named(), "choices": choices, "usage": _usage(jobs)}

    def event(self, _: int, place: int, token: Token, job: Job) -> list[bytes]:
        if self.data.get("tools"):
            return []  # held back for a call, which never comes
        finish = self._finish(token)
        if self.chat:
            delta = {"role": "assistant", "content": "" if token.special else token.text}
            choice = {"index": place, "delta": delta, "logprobs": None, "finish_reason": finish}
            return [sse({**self._head(), **self._named(), "choices": [choice], "usage": None})]
        choice = {"index": place, "text": token.text, "logprobs": None, "finish_reason": finish or ""}
        if finish:
            return [sse({**self._head(), **self._named(), "choices": [choice], "usage": _usage([job])})]
        return [sse({**self._head(), "choices": [choice], **self._named()})]

    def error(self, refusal: Refusal) -> bytes:
        return sse({"error": {"message": refusal.text, "http_status_code": 422}})

    def ends(self, jobs: Sequence[Job]) -> list[bytes]:
        wanted = self.chat and jobs and self.data.get("stream_options", {}).get("include_usage")
        usage = [sse({**self._head(), **self._named(), "choices": [], "usage": _usage(jobs)})] if wanted else []
        return [*usage, b"data: [DONE]\n\n"]

    def _head(self) -> dict[str, Any]:
        kind = ("chat.completion.chunk" if self.data.get("stream") else "chat.completion") if self.chat else None
        return {"object": kind or "text_completion", "id": "", "created": self.created}

    def _named(self) -> dict[str, Any]:
        model = self.data.get("model") or "tgi"
        return {"model": MODEL if model == "tgi" else model, "system_fingerprint": FINGERPRINT}

    def _finish(self, token: Token) -> str | None:
        """Chat speaks OpenAI's words, completions hand on the router's own."""
        return "stop" if self.chat and token.finish == "eos_token" else token.finish


def _usage(jobs: Sequence[Job]) -> dict[str, int]:
    asked, made = sum(job.input_tokens for job in jobs), sum(len(job.tokens) for job in jobs)
    return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
