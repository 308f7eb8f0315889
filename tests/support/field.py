"""Answers as users of other tools met them: read by the real reader and judge, or served on a socket to a real load."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from faulty_exchange import DONE, Exchange, data
from faulty_server import FaultyServer, probe
from load_helpers import records_of, run_load, scenario

from harness.backends import BACKENDS
from harness.backends.counts import token_source
from harness.backends.wire import Answer
from harness.load.wire.exchange import Exchange as Wire
from harness.load.wire.reading import Reading, judge
from harness.pipeline.analyse import analyse_run

ASKED = 20
GAP_NS = 10_000_000


@dataclass(frozen=True)
class Came:
    """What one answer came to."""

    answer: Answer
    reading: Reading
    error: str | None
    detail: str | None

    @property
    def count(self) -> tuple[int | None, str]:
        """Output tokens, and who says so."""
        return self.answer.output_tokens, token_source(self.answer)


def chunk(delta: dict[str, Any] | str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """A chat chunk."""
    said = {"content": delta} if isinstance(delta, str) else delta or {}
    return data({"choices": [{"index": 0, "delta": said, "finish_reason": finish}], **more})


def words(count: int, **more: Any) -> list[bytes]:
    """`count` chat chunks of a word each."""
    return [chunk(f" w{n}", **more) for n in range(count)]


def usage(**counts: Any) -> bytes:
    return data({"choices": [], "usage": counts})


def counted(tokens: int = ASKED) -> bytes:
    return usage(prompt_tokens=50, completion_tokens=tokens, total_tokens=50 + tokens)


def read(
    *pieces: bytes, backend: str = "openai", api: str = "chat", asked: int = ASKED, gap_ns: int = 10_000_000
) -> Came:
    """A stream that came in these pieces, 10 ms apart, to its end."""
    reader = BACKENDS[backend].reader(api)
    reading, exchange = Reading(reader, arrivals=[]), Wire(status=200, content_type="text/event-stream")
    for n, piece in enumerate(pieces):
        exchange.arrived_ns = (n + 1) * GAP_NS
        reading.on_bytes(exchange, piece)
    reading.close(exchange.arrived_ns)
    answer = reading.take_answer(reader.answer)
    return Came(answer, reading, *judge(exchange, reading, asked))


def whole(body: object, backend: str = "openai", api: str = "chat", asked: int = ASKED) -> Came:
    """An answer that is not streamed."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    reading = Reading(None, arrivals=None)
    answer = reading.take_answer(BACKENDS[backend].read_body(api, raw, {}))
    return Came(answer, reading, *judge(Wire(status=200), reading, asked))


def message(content: object, finish: str | None = "length", **more: Any) -> dict[str, Any]:
    """The body of a chat answer that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return {"choices": [choice], "usage": {"prompt_tokens": 50, "completion_tokens": ASKED}, **more}


class FieldServer(FaultyServer):
    """Answers every generation by `post`; `tokenizer` counts words where it is wanted."""

    def __init__(self, post: Callable[[Exchange], None], *, tokenizer: bool = False) -> None:
        super().__init__()
        self._post = post
        self._tokenizer = tokenizer

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/field"

    def answer(self, exchange: Exchange) -> None:
        with self._lock:
            self.requests.append(exchange)
            exchange.count = len(self.generations())
        if exchange.method == "GET":
            probe(exchange)
        elif exchange.path.endswith("tokenize"):
            count = len(exchange.body["prompt"].split())
            exchange.whole(200 if self._tokenizer else 404, json.dumps({"count": count}).encode())
        else:
            self._post(exchange)


def streamed(*events: bytes) -> Callable[[Exchange], None]:
    """Every answer is these events, one a millisecond."""

    def post(x: Exchange) -> None:
        x.stream(events)
        x.end()

    return post


Ran = tuple[pd.DataFrame, dict[str, dict[str, Any]], Any]


def run(out_dir: Path, server: FieldServer, **more: Any) -> Ran:
    """(rows, findings by their code, step) of a short load: chat, 20 tokens asked."""
    return run_at(out_dir, server.base_url, **more)


def run_at(out_dir: Path, url: str, *, ca_file: str | None = None, **more: Any) -> Ran:
    """The same of the server, or the proxy before one, at an address."""
    work = {
        "load": {"kind": "closed", "users": [2], "step_s": 0.6, "warmup_s": 0},
        "prompts": {"kind": "synthetic", "input_tokens": 20, "output_tokens": ASKED},
        "request": {"timeout_s": 10, "api": "chat"},
    } | more
    measured = run_load(out_dir, url, backend="openai", work=scenario(**work), ca_file=ca_file)
    analyse_run(measured.run_dir)
    metrics = json.loads((measured.run_dir / "metrics.json").read_text())
    found = [check for step in metrics["steps"] for check in step["checks"]] + metrics["checks"]
    return records_of(measured), {check["code"]: check for check in found}, metrics["steps"][0]


def served(rows: pd.DataFrame) -> pd.DataFrame:
    """Without what the run's own end cut."""
    return rows[rows["error"].fillna("") != "cut_at_end"]


END: Sequence[bytes] = (chunk(finish="length"), counted(), DONE)
