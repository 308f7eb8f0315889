"""A peer that sends without end, or too much at once, costs its own row and nothing else: no memory, no clock."""

import contextlib
import itertools
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from faulty_exchange import Exchange, data
from faulty_server import FaultyServer
from load_helpers import records_of, run_load, scenario

from harness.backends import BACKENDS
from harness.backends.openai_compat import OpenAiReader
from harness.backends.wire import error_detail
from harness.load.wire.bounds import MAX_EVENT_BYTES, MAX_LINE_BYTES, MAX_WHOLE_BYTES, Oversize
from harness.load.wire.coding import Unpacker
from harness.load.wire.exchange import Exchange as Wire
from harness.load.wire.reading import Reading
from harness.load.wire.redact import Secrets
from harness.load.wire.sse import SseParser

MIB = 1 << 20
ENDLESS_BYTES = 2048 * MIB  # as good as endless: no client of ours takes so much
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
CLOSED = STREAM + b"connection: close\r\n\r\n"
CHUNKED = STREAM + b"transfer-encoding: chunked\r\n\r\n"
TOKEN = data({"choices": [{"index": 0, "text": " tok"}]})


def gzipped_comments() -> Iterator[bytes]:
    """Comments that pack about forty fold: less than what is taken for a bomb at once."""
    packer = zlib.compressobj(wbits=31)
    yield STREAM + b"content-encoding: gzip\r\nconnection: close\r\n\r\n"
    line = b": " + bytes(range(97, 123)) * 2 + b"%d\n"
    for n in itertools.count():
        yield packer.compress(b"".join(line % (n * k * 7919) for k in range(1000)))


def endless(head: bytes, piece: bytes) -> Callable[[], Iterable[bytes]]:
    """A head, and a piece again and again."""
    times = max(1, (64 << 10) // len(piece))
    return lambda: itertools.chain([head], itertools.repeat(piece * times, ENDLESS_BYTES // (64 << 10)))


FLOODS: dict[str, tuple[Callable[[], Iterable[bytes]], str, str]] = {  # what it sends, the row's error and its reason
    "status-line": (endless(b"HTTP/1.1 200 ", b"O"), "oversize", "65536 bytes of headers"),
    "header": (endless(b"HTTP/1.1 200 OK\r\nx-a: ", b"a"), "oversize", "65536 bytes of headers"),
    "headers": (endless(b"HTTP/1.1 200 OK\r\n", b"x-a: 1\r\n"), "oversize", "65536 bytes of headers"),
    "interims": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "oversize", "100 interim answers"),
    "extensions": (endless(CHUNKED + b"1;", b"a"), "oversize", "65536 bytes of headers or chunk extensions"),
    "trailer": (endless(CHUNKED + b"0\r\nx-a: ", b"a"), "oversize", "65536 bytes of headers"),
    "line": (endless(CLOSED + b"data: ", b"a"), "oversize", "line of more than 8388608 bytes"),
    "event": (endless(CLOSED, b"data: a line of text\n"), "oversize", "event of more than 8388608 bytes"),
    "huge-event": (lambda: [CLOSED, b"data: " + b"a" * 60 * MIB + b"\n\n"], "oversize", "line of more than 8388608"),
    "comments": (endless(CLOSED, b": a comment\n\n"), "oversize", "the answer has more than 16859136 bytes"),
    "events": (endless(CLOSED, TOKEN), "oversize", "more than 65616 events"),  # 65,536 + 16 * 5
    "nonsense": (endless(CLOSED, b"data: x\n\n"), "oversize", "more than 65616 events"),
    "packed": (gzipped_comments, "oversize", "the answer has more than 16859136 bytes"),  # 16 MiB + 5 * 16 KiB
    "error-page": (endless(b"HTTP/1.1 500 No\r\n\r\n", b"sorry "), "http_500", "the answer has more than"),
}


def drip() -> Iterator[bytes]:
    """A header, a byte at a time."""
    for byte in itertools.chain(b"HTTP/1.1 200 OK\r\nx-a: ", itertools.repeat(97, 1000)):
        yield bytes([byte])
        time.sleep(0.02)


WITHOUT_PAUSE: dict[str, Callable[[], Iterable[bytes]]] = {
    "tokens": endless(CLOSED, TOKEN),
    "comments": endless(CLOSED, b": a comment that says nothing at all, and says it at length\n\n"),
    "drip": drip,
}


class Hostile(FaultyServer):
    """Answers by what `floods` has under its path, and well under any other."""

    def __init__(self, floods: dict[str, Callable[[], Iterable[bytes]]]) -> None:
        super().__init__()
        self.floods = floods

    def urls(self) -> list[str]:
        """One of each kind, and one that answers well."""
        return [f"http://127.0.0.1:{self.port}/{way}" for way in (*self.floods, "ok")]

    def answer(self, exchange: Exchange) -> None:
        if exchange.way not in self.floods or exchange.method == "GET":
            super().answer(exchange)
            return
        exchange.keeps_alive = False
        with contextlib.suppress(OSError):
            for piece in self.floods[exchange.way]():
                exchange.sock.sendall(piece)


class PeakMemory:
    """Of the processes below this one while it is entered."""

    def __enter__(self) -> "PeakMemory":
        self.most_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    self.most_bytes = max(self.most_bytes, process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def driven(out_dir: Path, server: Hostile, tokens: int, timeout_s: float) -> pd.DataFrame:
    """The rows of a short run over all of them, by the last part of their address; without what its end cut."""
    urls = server.urls()
    work = scenario(
        load={"kind": "closed", "users": [len(urls)], "step_s": 2, "warmup_s": 0},
        prompts={"kind": "synthetic", "input_tokens": 20, "output_tokens": tokens},
        request={"timeout_s": timeout_s},
    )
    rows = records_of(run_load(out_dir, *urls, backend="openai", work=work))
    rows["way"] = rows["url"].str.rpartition("/")[2]
    return rows[rows["error"].fillna("") != "cut_at_end"]


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory) -> tuple[pd.DataFrame, int]:
    """(rows, bytes of memory at most) of a run against all of FLOODS at once."""
    with Hostile({way: pieces for way, (pieces, _, _) in FLOODS.items()}) as server, PeakMemory() as peak:
        rows = driven(tmp_path_factory.mktemp("flooded"), server, tokens=5, timeout_s=30)
    return rows, peak.most_bytes


@pytest.mark.parametrize("way", FLOODS)
def test_what_has_no_end_is_cut_off_at_a_limit_that_its_row_names(flooded: tuple[pd.DataFrame, int], way: str) -> None:
    rows, _ = flooded
    mine = rows[rows["way"] == way]
    _, error, reason = FLOODS[way]

    assert len(mine) > 0
    assert set(mine["error"]) == {error}
    assert all(reason in detail for detail in mine["error_detail"])


def test_a_good_server_beside_them_is_served_as_ever(flooded: tuple[pd.DataFrame, int]) -> None:
    rows, _ = flooded
    good = rows[rows["way"] == "ok"]

    assert len(good) > 0
    assert good["error"].isna().all()
    assert set(good["events"]) == {5}


def test_the_load_process_stays_small(flooded: tuple[pd.DataFrame, int]) -> None:
    _, most_bytes = flooded

    assert 0 < most_bytes < 500 * MIB  # without the floods it has about 150


def test_the_deadline_holds_against_a_peer_that_never_pauses(tmp_path: Path) -> None:
    with Hostile(WITHOUT_PAUSE) as server:
        rows = driven(tmp_path, server, tokens=100_000, timeout_s=1)  # the limits are far away: 1.6 GB
    bad, good = rows[rows["way"] != "ok"], rows[rows["way"] == "ok"]

    assert set(bad["way"]) == set(WITHOUT_PAUSE)
    assert set(bad["error"]) == {"timeout"}
    assert len(good) > 0


def test_what_a_stream_still_has_to_end_is_bounded_however_it_comes() -> None:
    for piece, limit in ((b"a" * 4096, MAX_LINE_BYTES), (b"data:\n" * 700, MAX_EVENT_BYTES)):
        parser = SseParser()
        with pytest.raises(Oversize, match=str(limit)):
            any(parser.feed(piece) for _ in range(limit // len(piece) + 2))


@pytest.mark.timeout(60)  # a second, or hours
@pytest.mark.parametrize(
    "pieces",
    [
        [b"data: ", *[b"a" * 16] * 400_000, b"\n\n"],  # one line in little pieces
        [b'data: {"a":[{}', *[b'\ndata: ,{}'] * 100_000, b"]}\n\n"],  # each line looks like the end of an object
        [b"data: {" + b" " * 4 * MIB + b"}}\n", *[b":\n"] * 5_000, b"\n"],  # a line that is none, asked again and again
    ],
)  # fmt: skip
def test_the_work_on_a_stream_grows_with_its_length_and_no_faster(pieces: list[bytes]) -> None:
    parser = SseParser()

    assert sum(len(parser.feed(piece)) for piece in pieces) == 1


@pytest.mark.timeout(60)
def test_what_follows_a_packed_answer_is_not_kept() -> None:
    unpacker, packer = Unpacker("gzip"), zlib.compressobj(wbits=31)

    assert unpacker.feed(packer.compress(b"all") + packer.flush()) == b"all"
    assert {unpacker.feed(b"x" * 256) for _ in range(200_000)} == {b""}


@pytest.mark.timeout(60)  # a second, or hours
@pytest.mark.parametrize("filling", [b"a", b"x", b"xxx.", b"a.", b"%41", b"***", b"sk-"])
def test_a_page_that_quotes_a_secret_is_searched_in_time_that_grows_with_its_length(filling: bytes) -> None:
    secret = b"sk-abcdefghijklmnop"
    page = secret + b" " + filling * (MIB // len(filling))

    assert secret not in Secrets({"Authorization": f"Bearer {secret.decode()}"}).struck_out_of(page)


def test_a_whole_answer_has_a_limit_too() -> None:
    reading, exchange = Reading(None, arrivals=None), Wire(status=200)

    for _ in range(MAX_WHOLE_BYTES // MIB):
        reading.on_bytes(exchange, b" " * MIB)
    with pytest.raises(Oversize, match=str(MAX_WHOLE_BYTES)):
        reading.on_bytes(exchange, b" ")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "event",
    [
        b'{"choices": [' + b"{}," * 1_000_000 + b"{}]}",  # wide
        b'{"choices": [{"delta": {"content": [' + b"[]," * 1_000_000 + b"[]]}}]}",
        b'{"choices": [{"delta": {"reasoning": ' + b"[" * 1000 + b"]" * 1000 + b"}}]}",  # deep
        b'{"error": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"choices": [], "detail": ' + b"[" * 900 + b"]" * 900 + b"}",
    ],
    ids=["choices", "parts", "nested text", "nested error", "nested words"],
)
def test_json_too_wide_or_too_deep_costs_its_own_answer_only(backend: str, event: bytes) -> None:
    reader = BACKENDS[backend].reader("completions")

    assert reader.feed(event) is False
    assert reader.answer.unreadable or reader.answer.error or reader.answer.words
    assert error_detail(event) != ""


def test_an_answer_as_large_as_real_ones_come_is_read() -> None:
    reader = OpenAiReader(empty_is_token=False)
    reading, text = Reading(reader, arrivals=None), "word " * MIB

    reading.on_bytes(Wire(status=200), data({"choices": [{"index": 0, "text": text, "finish_reason": "length"}]}))

    assert reader.answer.generated == text
