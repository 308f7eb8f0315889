"""Compressed though identity was asked for, 2xx that is not 200, redirects: read, or named."""

import gzip
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import Exchange
from faulty_server import good
from load_helpers import records_of, run_load, scenario
from one_fault import OneFault

from harness.load.wire.clock import RunClock
from harness.load.wire.coding import Packed, Unpacker, unpacker_of
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.refusal import points_to
from harness.load.wire.transport import Target, fetch

WORDS = b"data: one\n\n" * 50


def packer(wbits: int) -> Any:
    return zlib.compressobj(wbits=wbits)


def packed_stream(coding: str, wbits: int) -> Callable[[Exchange], None]:
    """Each event flushed, as a proxy does that compresses what it passes on."""

    def post(x: Exchange) -> None:
        x.head(transfer_encoding="chunked", content_encoding=coding)
        engine = packer(wbits)
        for event in x.good_events():
            x.chunk(engine.compress(event) + engine.flush(zlib.Z_SYNC_FLUSH))
        x.chunk(engine.flush())
        x.end()

    return post


def asked(server: OneFault) -> tuple[int, bytes]:
    """A status and a body, over the transport of the load."""
    with closing(Target(server.base, {}, RunClock(0))) as target:
        return fetch(target, "/v1/completions", body=b"{}", timeout_s=5)


def test_a_compressed_stream_is_read_though_identity_was_asked_for(tmp_path: Path) -> None:
    with OneFault(packed_stream("gzip", 31)) as server:
        rows = records_of(run_load(tmp_path, server.base))
        assert {x.headers["accept-encoding"] for x in server.generations()} == {"identity"}

    assert rows["error"].isna().any()
    assert rows["output_tokens"].dropna().eq(5).all()
    assert set(rows["error"].dropna()) <= {"cut_at_end"}


@pytest.mark.parametrize(
    ("coding", "wbits"),
    [("gzip", 31), ("X-GZIP", 31), ("deflate", 15), ("deflate", -15)],
    ids=["gzip", "x-gzip", "deflate", "deflate without zlib's header"],
)
def test_every_form_of_gzip_and_deflate_is_unpacked(coding: str, wbits: int) -> None:
    with OneFault(packed_stream(coding, wbits)) as server:
        _, body = asked(server)

    assert body.count(b"data: ") == 7  # 5 tokens, usage, [DONE]
    assert body.endswith(b"data: [DONE]\n\n")


def test_an_errors_words_are_unpacked_too() -> None:
    def post(x: Exchange) -> None:
        x.whole(503, gzip.compress(b"the pool is empty"), content_encoding="gzip")

    with OneFault(post) as server:
        assert asked(server) == (503, b"the pool is empty")


@pytest.mark.parametrize(
    ("coding", "body", "words"),
    [
        ("zstd", b"\x28\xb5\x2f\xfd", "content-encoding `zstd`"),
        ("gzip", b"data: no gzip at all\n\n", "cannot be unpacked"),
        ("gzip", gzip.compress(bytes(1 << 24)), "unpack to more than"),
    ],
    ids=["zstd", "not gzip", "a bomb"],
)
def test_what_cannot_be_unpacked_is_named(coding: str, body: bytes, words: str) -> None:
    with (
        OneFault(lambda x: x.whole(200, body, "text/event-stream", content_encoding=coding)) as server,
        pytest.raises(ConnectionLost, match=words),
    ):
        asked(server)


def test_a_request_whose_answer_cannot_be_unpacked_failed_by_a_name_of_its_own(tmp_path: Path) -> None:
    with OneFault(lambda x: x.whole(200, b"\x0b\x02", "text/event-stream", content_encoding="br")) as server:
        rows = records_of(run_load(tmp_path, server.base))

    assert set(rows["error"]) <= {"bad_encoding", "cut_at_end"}
    assert "content-encoding `br`" in rows["error_detail"].dropna().iloc[0]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_unpacking_does_not_depend_on_the_pieces(size: int) -> None:
    packed, engine = gzip.compress(WORDS), Unpacker("gzip")

    assert b"".join(engine.feed(packed[at : at + size]) for at in range(0, len(packed), size)) == WORDS


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_identity_needs_no_unpacking(coding: str) -> None:
    assert unpacker_of(coding) is None


def test_two_codings_on_top_of_each_other_are_named() -> None:
    with pytest.raises(Packed, match="gzip, br"):
        unpacker_of("gzip, br")


def test_any_2xx_with_a_stream_is_read(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        x.head((201, 202, 299)[x.count % 3], transfer_encoding="chunked")
        for event in x.good_events():
            x.chunk(event)
        x.end()

    with OneFault(post) as server:
        rows = records_of(run_load(tmp_path, server.base))

    assert set(rows[rows["error"].isna()]["http_status"]) == {201, 202, 299}


def test_a_whole_answer_of_201_is_read(tmp_path: Path) -> None:
    def post(x: Exchange) -> None:
        whole = x.whole
        x.whole = lambda status, *more: whole(201, *more)  # type: ignore[method-assign,assignment]
        good(x)

    work = scenario(request={"stream": False, "timeout_s": 1.0}, slo={"preset": "batch"})
    with OneFault(post) as server:
        rows = records_of(run_load(tmp_path, server.base, work=work))

    assert rows["error"].isna().any()


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://127.0.0.1:9/real/v1/completions", "redirects to http://127.0.0.1:9/real/v1/completions"),
        ("/v1/completions/", "redirects to /v1/completions/"),
        ("https://user:pa55word@login.internal/sso?token=s3cr3t#x", "redirects to https://login.internal/sso"),
        ("http://[bad", "redirects to what is no address"),
    ],
)
def test_where_a_redirect_points_to_is_said_without_what_may_be_a_secret(location: str, shown: str) -> None:
    assert points_to(location, "/v1/completions") == shown


def test_a_redirect_is_not_followed_and_the_run_says_where_it_points(tmp_path: Path) -> None:
    location = "https://user:pa55word@login.internal/sso?token=s3cr3t"
    work = scenario(load={"kind": "closed", "users": [12], "step_s": 5, "warmup_s": 0})
    with OneFault(lambda x: x.whole(302, b"", "text/plain", location=location)) as server:
        measured = run_load(tmp_path, server.base, work=work)

    assert measured.failure is not None
    assert "redirects to https://login.internal/sso" in str(measured.failure)
    assert "--url" in (measured.failure.hint or "")
    written = b"".join(path.read_bytes() for path in measured.run_dir.iterdir())
    assert b"s3cr3t" not in written
    assert b"pa55word" not in written
