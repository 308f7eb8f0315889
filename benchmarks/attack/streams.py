"""Answers as no server should give them, read by the real sender: each ends in one row of a known kind.

    python benchmarks/attack streams [--count N] [--seed S]

What each dialect really sends is changed by a seed (values of other types, keys gone or twice, broken characters and
line ends, end marks and counts anywhere, HTTP that lies) and goes through the HTTP parser, the stream's parser, the
dialect's reader and the judge, once in one piece and once cut anywhere. Held: no exception, one row for each, every
value of its type and in its bounds, the same row however the bytes were cut, and work that grows with the length.
"""

import multiprocessing
import os
import re
import sys
import time
import types
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, get_args, get_type_hints

import orjson
from result import Result
from stream_grammar import Sent, Source, answer, pieces

from harness.backends import BACKENDS
from harness.backends import wire as backends_wire
from harness.backends.counts import MOST_TOKENS
from harness.load.board import Board
from harness.load.plan import LoadPlan
from harness.load.prompts.prompt import Prompt
from harness.load.wire import sse
from harness.load.wire.clock import RunClock
from harness.load.wire.fleet import Fleet
from harness.load.wire.sender import Sender
from harness.load.wire.transport import Target
from harness.rundir.recorder import Recorder
from harness.rundir.records import RequestRecord
from harness.scenario import Scenario

NAME = "streams"
DEFAULT_COUNT = 1_000_000
CHUNK = 2000  # answers between two looks at what was written
PROCESSES = 2
ASKED = 3  # tokens
ENDS = re.compile(
    r"http_\d{3}|(timeout|connect|reset|error_event|truncated|not_sse|no_tokens|bad_encoding|oversize|aborted|filtered|short)"
)
MOST_CHARS = {"error_detail": 1000, "finish_reason": 120, "unreadable_example": 120, "error": 20}
OF_TIME = {  # they follow when the bytes came, and in how many reads
    "request_id", "scheduled_s", "sent_s", "headers_s", "first_token_s", "answered_s", "finished_s", "max_gap_s",
    "tpot_share", "first_events", "clock",
}  # fmt: skip
WORK_EVERY = 1000
WORK_BYTES = 32 << 10
MOST_WORK = 40  # calls and bytes read as JSON, for each byte that came


class _Socket:
    """A connection that has all of the answer already, in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces[::-1]

    def send(self, data: bytes) -> int:
        return len(data)

    def recv(self, most: int) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop()
        if len(piece) > most:
            self._pieces.append(piece[most:])
        return piece[:most]


class _Played(Target):
    """A server of which only the answer is there: as its own connections, so that none is opened."""

    def answers(self, pieces: list[bytes]) -> None:
        self._socket = _Socket(pieces)
        self._connections: Any = self

    def _connect(self) -> _Socket:
        return self._socket

    def drop(self, sock: object) -> None: ...

    def give_back(self, sock: object, route: str) -> float:  # noqa: ARG002
        return 0.0


class Player:
    """The real sender of one load process, without a network."""

    def __init__(self, place: Path) -> None:
        self._recorder = Recorder(place, keep_arrivals=False)
        self._clock = RunClock(time.monotonic_ns())
        self._target = _Played("http://127.0.0.1:9", {"Authorization": "Bearer sk-abcdefghijkl"}, self._clock)
        self._fleet = Fleet([self._target], Board(1, 1), 0, self._clock.now_s)
        self._senders: dict[tuple[str, bool], Sender] = {}
        self._asked = 0

    def _sender(self, source: Source) -> Sender:
        key = str(source.dialect), source.is_stream
        if key not in self._senders:
            request = {"api": source.dialect.api, "stream": source.is_stream, "timeout_s": 60}
            prompts = {"kind": "synthetic", "input_tokens": 5, "output_tokens": ASKED}
            work = {"name": "t", "load": {"kind": "closed", "users": [1], "step_s": 9}, "prompts": prompts}
            scenario = Scenario.model_validate({**work, "request": request})
            plan = LoadPlan(
                run_dir="", run_id="a", salt="", scenario={}, base_dir="", urls=[self._target.url], backend=None,
                model=None, started_monotonic_ns=0,
            )  # fmt: skip
            sender = self._senders[key] = Sender(plan, scenario, self._clock, self._recorder, self._fleet)
            sender.speak(BACKENDS[source.dialect.backend], "m")
        return self._senders[key]

    def row(self, source: Source, pieces: list[bytes]) -> tuple[RequestRecord, tuple[object, ...]]:
        """The row of one request that is answered so, and what the reply came to."""
        self._target.answers(pieces)
        self._asked += 1
        row = RequestRecord("a", 1, scheduled_s=0.0)
        sent = self._sender(source).send(Prompt("p", 5, ASKED), row, self._target)
        return sent.row, (sent.reply, sent.reply_tokens, sent.retry_after_s)

    def written(self) -> str | None:
        """What is wrong with the rows that were written since it was last asked; they are taken away."""
        self._recorder.close()
        asked, self._asked = self._asked, 0
        path = self._recorder.records.path
        rows = [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
        for file in (self._recorder.records, self._recorder.texts):
            file.path.unlink(missing_ok=True)
        return None if len(rows) == asked else f"{asked} were asked and {len(rows)} rows written"


def _classes() -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(RequestRecord)
    parts = {name: get_args(hint) or (hint,) for name, hint in hints.items()}
    return {name: tuple(part if isinstance(part, type) else str for part in of) for name, of in parts.items()}


CLASSES = _classes()


def is_whole_row(row: RequestRecord) -> str | None:
    """What is wrong with a row, by the types and bounds of its columns."""
    for name, classes in CLASSES.items():
        value = getattr(row, name)
        if value.__class__ not in classes:
            return f"{name} is {value!r:.80}"
        if value.__class__ is int and not 0 <= value <= MOST_TOKENS:
            return f"{name} is {value}"
        if value.__class__ is float and not 0 <= value <= 1e9:
            return f"{name} is {value}"
        if value.__class__ is str and len(value) > MOST_CHARS.get(name, 100):
            return f"{name} has {len(value)} characters"
    if row.error is not None and ENDS.fullmatch(row.error) is None:
        return f"error is {row.error}"
    says_all = row.error is None or row.error == "no_tokens" or row.error.startswith("http_")
    return None if says_all or row.error_detail else "failed without a reason"


def _facts(row: RequestRecord) -> dict[str, object]:
    return {name: value for name, value in row.to_dict().items() if name not in OF_TIME}


def difference(player: Player, sent: Sent, cut: list[bytes]) -> tuple[str | None, str]:
    """(what does not hold of this answer, read whole and cut; None: all does, how it ended)."""
    row, reply = player.row(sent.source, [sent.data])
    wrong = is_whole_row(row)
    again, reply_again = player.row(sent.source, cut)
    wrong = wrong or is_whole_row(again)
    is_packed_wrong = "bad_encoding" in (row.error, again.error)  # how much of it came out before is chance
    if wrong is None and not is_packed_wrong and (_facts(row), reply) != (_facts(again), reply_again):
        one, other = _facts(row) | {"reply": reply}, _facts(again) | {"reply": reply_again}
        wrong = "; ".join(f"{k} is {v!r:.90}, cut {other[k]!r:.90}" for k, v in one.items() if v != other[k])
    return wrong, row.error or "good"


class Work:
    """Counts, while it is entered, calls and bytes that are read as JSON: what reading costs, by no clock."""

    def __enter__(self) -> "Work":
        self.done = 0
        self._loads = orjson.loads

        def loads(data: bytes) -> Any:
            self.done += len(data)
            return self._loads(data)

        self._counting = types.SimpleNamespace(loads=loads, dumps=orjson.dumps, JSONDecodeError=orjson.JSONDecodeError)
        sse.orjson = backends_wire.orjson = self._counting
        sys.setprofile(self._count)
        return self

    def _count(self, frame: object, event: str, arg: object) -> None:  # noqa: ARG002
        self.done += 1

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        sse.orjson = backends_wire.orjson = orjson


def work_of(sent: Sent) -> float:
    """Work for each byte of a long stream that is this answer again and again, in pieces of 16 bytes."""
    body = sent.data.partition(b"\r\n\r\n")[2].replace(b"[DONE]", b"[MORE]") or b":"
    data = body * (WORK_BYTES // len(body) + 1)
    reader, parser = BACKENDS[sent.source.dialect.backend].reader(sent.source.dialect.api), sse.SseParser()
    with Work() as work:
        for start in range(0, len(data), 16):
            for event in parser.feed(data[start : start + 16]):
                reader.feed(event)
        for event in parser.close():
            reader.feed(event)
    return work.done / len(data)


def tried(first: int, count: int, out_dir: Path) -> tuple[list[str], Counter[str], float]:
    """Of the answers of so many seeds from the first: what did not hold, how they ended, the most work a byte."""
    bad, ends, most = [], Counter[str](), 0.0
    place = out_dir / f"streams-{os.getpid()}"
    place.mkdir(parents=True, exist_ok=True)
    player = Player(place)
    for seed in range(first, first + count):
        sent, chance = answer(seed)
        try:
            wrong, end = difference(player, sent, pieces(sent.data, chance))
        except Exception as error:
            wrong, end = f"{type(error).__name__}: {error}", "raised"
        ends[end] += 1
        if wrong is None and seed % WORK_EVERY == 0:
            work = work_of(sent)
            most = max(most, work)
            wrong = f"{work:.0f} of work a byte" if work > MOST_WORK else None
        if wrong is not None:
            bad.append(f"{seed} ({sent.source.dialect}): {wrong}")
    wrong = player.written()
    return bad + ([wrong] if wrong else []), ends, most


def attack(count: int, seed: int, out_dir: Path) -> Result:
    """So many answers, on two processes."""
    began = time.monotonic()
    first, bad, ends, most = seed << 32, [], Counter[str](), 0.0
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        starts = range(0, count, CHUNK)
        chunks = pool.map(
            tried, [first + at for at in starts], [min(CHUNK, count - at) for at in starts], [out_dir] * len(starts)
        )
        for more, ended, work in chunks:
            bad += more
            ends += ended
            most = max(most, work)
    took_s = time.monotonic() - began
    kinds = ", ".join(f"{n} {end}" for end, n in ends.most_common())
    return Result(count, bad, f"{count / took_s:,.0f} a second; at most {most:.1f} of work a byte; {kinds}")
