"""A live server that batches like an engine, in a process of its own; its log is the truth about what it served.

    with batching_server(tmp_path, iteration_s=0.012, running_s=0.0006) as server:
        server.url          # http://127.0.0.1:41234, OpenAI completions, streamed or not, vLLM's keys
    server.served()         # one `Served` a request that ended, times on time.monotonic()
    server.iterations()     # one `Iteration` each

Each iteration takes `iteration_s + running_s * running + prompt_token_s * new prompt tokens`, and every request that
runs in it then gets a token: `max_tokens` of them, always. Iteration
`stall_after` takes `stall_s` longer. Ends are due at absolute times, so lateness never adds up,
and the log says how late each was. A prompt has as many tokens as words. There is no /metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

STOP_S = 10.0
MODEL = "batching"


@dataclass(frozen=True, slots=True)
class Served:
    """A request's row; `cut`: its client left before the end."""

    request_id: str
    arrived_s: float
    first_s: float
    ended_s: float
    prompt_tokens: int
    output_tokens: int
    cut: bool


@dataclass(frozen=True, slots=True)
class Iteration:
    """An iteration's row: when it was due to end, when its tokens were sent, and what it did."""

    due_s: float
    sent_s: float
    running: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class BatchingServer:
    """Where it listens, and its log; whole once the server has stopped."""

    url: str
    path: Path

    def served(self) -> list[Served]:
        """The requests that ended, in the order of their ends."""
        return [Served(**row) for row in self._rows() if "request_id" in row]

    def iterations(self) -> list[Iteration]:
        """All iterations in order."""
        return [Iteration(**row) for row in self._rows() if "due_s" in row]

    def _rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]


@contextmanager
def batching_server(
    directory: Path,
    *,
    iteration_s: float = 0.012,
    running_s: float = 0.0006,
    prompt_token_s: float = 0.0,
    stall_after: int = 0,
    stall_s: float = 0.0,
) -> Iterator[BatchingServer]:
    """One on a free loopback port; stopped at the end."""
    path = directory / "batching.jsonl"
    numbers = [repr(number) for number in (iteration_s, running_s, prompt_token_s, stall_after, stall_s)]
    process = subprocess.Popen([sys.executable, __file__, str(path), *numbers], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, "the batching server did not start"
        yield BatchingServer(line.strip(), path)
    finally:
        process.terminate()
        process.wait(STOP_S)
        process.stdout.close()


@dataclass(slots=True)
class _Job:
    writer: asyncio.StreamWriter
    request_id: str
    arrived_s: float
    prompt_tokens: int
    max_tokens: int
    streams: bool
    tells_usage: bool
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    first_s: float = 0.0
    sent: int = 0


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(finish: str | None) -> bytes:
    choice = {"index": 0, "text": " tok", "logprobs": None, "finish_reason": finish}
    whole = {"id": "b", "object": "text_completion", "created": 0, "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(whole).encode() + b"\n\n"


TOKEN, LAST_TOKEN = _chunk(_event(None)), _event("length")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class _Engine:
    """The batch: admits what waits, passes an iteration, gives everybody a token."""

    def __init__(
        self,
        log: TextIO,
        iteration_s: float,
        running_s: float,
        prompt_token_s: float,
        stall_after: float,
        stall_s: float,
    ) -> None:
        self._log = log
        self._stall_after, self._stall_s = stall_after, stall_s
        self._iteration_s, self._running_s, self._prompt_token_s = iteration_s, running_s, prompt_token_s
        self._waiting: list[_Job] = []
        self._running: list[_Job] = []
        self._work = asyncio.Event()

    def put(self, job: _Job) -> None:
        self._waiting.append(job)
        self._work.set()

    async def run(self) -> None:
        due_s, passed = time.monotonic(), 0
        while True:
            passed += 1
            if not self._waiting and not self._running:
                self._work.clear()
                await self._work.wait()
                due_s = time.monotonic()
            prompt_tokens = sum(job.prompt_tokens for job in self._waiting)
            self._running += self._waiting
            self._waiting = []
            running = len(self._running)
            due_s += self._iteration_s + self._running_s * running + self._prompt_token_s * prompt_tokens
            due_s += self._stall_s if passed == self._stall_after else 0.0
            await asyncio.sleep(max(due_s - time.monotonic(), 0))
            now_s = time.monotonic()
            self._write(Iteration(due_s, now_s, running, prompt_tokens))
            self._running = [job for job in self._running if self._give(job, now_s)]

    def _give(self, job: _Job, now_s: float) -> bool:
        """A token; whether it runs on."""
        is_cut = job.writer.is_closing()
        if not is_cut:
            job.sent += 1
            job.first_s = job.first_s or now_s
            if job.sent < job.max_tokens:
                if job.streams:
                    job.writer.write(HEAD + TOKEN if job.sent == 1 else TOKEN)
                return True
        self._write(
            Served(job.request_id, job.arrived_s, job.first_s, now_s, job.prompt_tokens, job.sent, is_cut)
        )  # first: who has read the end of an answer finds it in the log
        if not is_cut:
            job.writer.write(_end_of(job))
        job.ended.set()
        return False

    def _write(self, row: Served | Iteration) -> None:
        self._log.write(json.dumps(asdict(row)) + "\n")


def _usage(job: _Job) -> dict[str, int]:
    total = job.prompt_tokens + job.sent
    return {"prompt_tokens": job.prompt_tokens, "completion_tokens": job.sent, "total_tokens": total}


def _end_of(job: _Job) -> bytes:
    if not job.streams:
        choice = {"index": 0, "text": " tok" * job.sent, "finish_reason": "length"}
        return _whole({"id": "b", "object": "text_completion", "choices": [choice], "usage": _usage(job)})
    usage = b"data: " + json.dumps({"id": "b", "choices": [], "usage": _usage(job)}).encode() + b"\n\n"
    events = LAST_TOKEN + (usage if job.tells_usage else b"") + b"data: [DONE]\n\n"
    return (HEAD if job.sent == 1 else b"") + _chunk(events) + b"0\r\n\r\n"


def _whole(answer: object, status: str = "200 OK") -> bytes:
    body = json.dumps(answer).encode()
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


async def _serve(engine: _Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: request after request until its client leaves."""
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            arrived_s = time.monotonic()
            path = lines[0].split(" ")[1]
            if path != "/v1/completions":
                writer.write(_answer(path, body))
                continue
            asked = json.loads(body)
            job = _Job(
                writer=writer,
                request_id=headers.get("x-request-id", ""),
                arrived_s=arrived_s,
                prompt_tokens=len(asked["prompt"].split()),
                max_tokens=asked.get("max_tokens", 16),
                streams=bool(asked.get("stream")),
                tells_usage=bool((asked.get("stream_options") or {}).get("include_usage")),
            )
            engine.put(job)
            await job.ended.wait()
    writer.close()


def _answer(path: str, body: bytes) -> bytes:
    if path == "/v1/models":
        return _whole({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "vllm"}]})
    if path == "/health":
        return _whole({})
    if path == "/tokenize":
        count = len(json.loads(body)["prompt"].split())
        return _whole({"count": count, "tokens": [0] * count, "max_model_len": 100_000})
    return _whole({"error": {"message": f"no route {path}"}}, "404 Not Found")


async def _main(path: Path, numbers: list[float]) -> None:
    with path.open("w", buffering=1) as log:
        engine = _Engine(log, *numbers)
        server = await asyncio.start_server(lambda r, w: _serve(engine, r, w), "127.0.0.1", 0)
        batching = asyncio.get_running_loop().create_task(engine.run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, batching.cancel)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        with contextlib.suppress(asyncio.CancelledError):
            await batching


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("numbers", type=float, nargs=5, help="iteration_s running_s prompt_token_s stall_after stall_s")
    options = parser.parse_args()
    gc.disable()  # a collection would hold up every stream
    asyncio.run(_main(options.log, options.numbers))
