"""The double of TGI answers as a real TGI 3.3.6 over its llama.cpp backend did (`tests/data/tgi-3.3`), byte for byte.

What is a matter of chance, of weights or of the clock is masked on both sides, and nothing else.
"""

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tgi_double import TgiDouble
from tgi_forms import MODEL
from tgi_job import Behaviour
from tgi_rules import Limits

RECORDED = Path(__file__).parent.parent / "data" / "tgi-3.3"
NAMES = sorted(path.stem for path in RECORDED.glob("*.txt"))
LIMITS = Limits(max_best_of=0, max_stop_sequences=0, max_top_n_tokens=0)
CUT = '{"inputs": "word ', '{"model": "tgi", "messages": [{"role": "user", "content": "word '
ENDS_AFTER = {"stream_grammar": 11, "chat_json": 9}  # tokens before the end of sequence, where one came
BY_THE_CLOCK = {"date", "content-length", "x-compute-time", "x-total-time", "x-validation-time", "x-queue-time",
                "x-inference-time", "x-time-per-token"}  # fmt: skip
MASKS = [
    (rb'"created":\d{10}', b'"created":0'),
    (rb'"(content|text|generated_text)":"(?:[^"\\]|\\.)*"', rb'"\1":"-"'),
    (rb'"id":\d+', b'"id":0'),
    (rb'"logprob":-?\d+\.\d+', b'"logprob":0'),
    (rb'"seed":(\d+|null)', b'"seed":0'),  # this backend draws one where greedy was asked for too
]


@dataclass(frozen=True)
class Said:
    """An answer as it came: its status line, its headers, and each chunk of its body."""

    status: str
    headers: dict[str, str]
    chunks: tuple[bytes, ...]

    @classmethod
    def of(cls, raw: bytes) -> "Said":
        head, _, rest = raw.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = {name: value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") != "chunked":
            return cls(status, headers, (rest,))
        chunks = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            assert size == size.upper()
            chunks.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return cls(status, headers, tuple(chunks))

    def masked(self, name: str) -> "Said":
        chance = BY_THE_CLOCK | ({"x-compute-characters"} if name == "chat_tools" else set())  # the tools' own
        headers = {key: "-" if key in chance else value for key, value in self.headers.items()}
        chunks = tuple(chunk.replace(b"HuggingFaceTB/SmolLM2-135M-Instruct", MODEL.encode()) for chunk in self.chunks)
        for pattern, instead in MASKS:
            exact = name.endswith("tokenize") and b"text" in pattern  # what is asked comes back
            chunks = chunks if exact else tuple(re.sub(pattern, instead, chunk) for chunk in chunks)
        if name == "completions_list":  # whichever prompt is done first
            chunks = tuple(re.sub(rb'"index":\d', b'"index":0', chunk) for chunk in chunks)
        return Said(self.status, headers, chunks)


def recorded(name: str) -> tuple[str, str, str, Said]:
    """What was asked, by which method, and what came."""
    raw = (RECORDED / f"{name}.txt").read_bytes()
    first, second, rest = raw.split(b"\n", 2)
    _, method, path = first.decode().split(" ")
    body = second.decode().removeprefix("> ")
    if body.startswith(CUT):  # 1,500 words were sent
        body = body[: body.index('"word ') + 1] + "word " * 1500 + _closing(name)
    return method, path, body, Said.of(rest.removeprefix(b"\n"))


def _closing(name: str) -> str:
    return '"}], "max_tokens": 4, "stream": true}' if name.startswith("chat") else '", "parameters": {}}'


def asked(tgi: TgiDouble, method: str, path: str, body: str) -> Said:
    headers = {"content-type": "application/json"} if body else {}
    with closing(http.client.HTTPConnection("127.0.0.1", tgi.server_address[1], timeout=10)) as connection:
        connection.connect()
        lines = [f"{method} {path} HTTP/1.1", "host: x", "connection: close", f"content-length: {len(body)}"]
        head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items())])
        connection.sock.sendall(f"{head}\r\n\r\n{body}".encode())
        return Said.of(b"".join(iter(lambda: connection.sock.recv(65536), b"")))


@pytest.fixture(scope="module")
def tgi() -> Iterator[TgiDouble]:
    with TgiDouble(limits=LIMITS, max_concurrent_requests=32) as double:
        yield double


@pytest.fixture(scope="module")
def full() -> Iterator[TgiDouble]:
    with TgiDouble(limits=LIMITS, max_concurrent_requests=0) as double:
        yield double


@pytest.mark.parametrize("name", [name for name in NAMES if name != "metrics"])
def test_the_double_answers_as_the_real_one_did(name: str, tgi: TgiDouble, full: TgiDouble) -> None:
    method, path, body, said = recorded(name)
    tgi.behaviour = Behaviour(eos_after=ENDS_AFTER.get(name))

    ours = asked(full if name.endswith("overloaded") else tgi, method, path, body)

    assert ours.masked(name) == said.masked(name)


def test_the_doubles_metrics_are_laid_out_as_the_real_ones(full: TgiDouble) -> None:
    _, _, _, said = recorded("metrics")
    body = '{"inputs": "The capital of France is", "parameters": {"max_new_tokens": 6}}'
    with TgiDouble(limits=LIMITS, max_concurrent_requests=32) as tgi:
        for text in (body, body.replace("6", "0")):
            asked(tgi, "POST", "/generate", text)
        tgi.counts['tgi_request_failure{err="overloaded"}'] += 1
        ours = asked(tgi, "GET", "/metrics", "")

    names = [line.rpartition(b" ")[0] for line in ours.chunks[0].split(b"\n") if not line.startswith(b"#")]
    theirs = said.chunks[0].split(b"\n")
    cut = next(n for n, line in enumerate(theirs) if line.startswith(b"[..."))
    whole = [*theirs[: cut - 1], *theirs[cut + 2 :]]  # the line before and the one after are cut in two

    assert ours.masked("metrics").headers == said.masked("metrics").headers
    assert [line for line in whole if line.startswith(b"#") and line not in ours.chunks[0].split(b"\n")] == []
    assert [line for line in whole if not line.startswith(b"#") and line.rpartition(b" ")[0] not in names] == []
