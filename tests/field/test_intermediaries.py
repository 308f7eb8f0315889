"""Real nginx and HAProxy before a server: what they hold back, refuse and cut is seen, and they are named."""

import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from faulty_exchange import Exchange
from faulty_server import FaultyServer
from field import ASKED, END, FieldServer, Ran, chunk, run_at, served
from intermediaries import free_port, haproxy, nginx, program

from harness.base.errors import EndpointError

pytestmark = pytest.mark.slow

Front = Callable[[Path, int], AbstractContextManager[int]]
SHORT = {"kind": "closed", "users": [2], "step_s": 0.6, "warmup_s": 0}


def by_nginx(location: str = "", **more: str) -> Front:
    return lambda folder, port: nginx(folder, port, location, **more)


def by_haproxy(*options: str, **more: float) -> Front:
    return lambda folder, port: haproxy(folder, port, *options, **more)


def tokens(gap_s: float, chars: int = 3) -> list[tuple[float, bytes]]:
    """An answer of 20 tokens of so many characters, and how long each event waits for the next."""
    return [(gap_s, chunk(" " + "w" * (chars - 1)))] * ASKED + [(0.0, event) for event in END]


def http_1_1(events: list[tuple[float, bytes]]) -> FieldServer:
    """Each event is a chunk of its own."""

    def post(x: Exchange) -> None:
        x.head(transfer_encoding="chunked")
        for gap_s, event in events:
            x.chunk(event)
            time.sleep(gap_s)
        x.end()

    return FieldServer(post)


def http_1_0(events: list[tuple[float, bytes]]) -> FieldServer:
    """No chunks and no length: the body ends with the connection."""

    def post(x: Exchange) -> None:
        x.sock.sendall(b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        for gap_s, event in events:
            x.sock.sendall(event)
            time.sleep(gap_s)
        x.keeps_alive = False

    return FieldServer(post)


def run_behind(front: Front, server: FieldServer, tmp_path: Path, **more: Any) -> Ran:
    with server, front(tmp_path, server.port) as port:
        return run_at(tmp_path / "out", f"http://127.0.0.1:{port}/field", **{"load": SHORT} | more)


def run_way(front: Front, way: str, tmp_path: Path, **more: Any) -> Ran:
    """Before the faulty server, which behaves in that way."""
    with FaultyServer() as server, front(tmp_path, server.port) as port:
        return run_at(tmp_path / "out", f"http://127.0.0.1:{port}/{way}", **{"load": SHORT} | more)


@pytest.mark.parametrize(
    ("front", "server"),
    [
        (by_nginx("proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection '';"), http_1_1),
        (by_nginx("proxy_buffering off;"), http_1_0),
        (by_nginx(), http_1_1),  # with its buffers on, nginx hands chunks on as they come all the same
        (by_haproxy("option http-no-delay"), http_1_1),
        (by_haproxy(), http_1_0),
    ],
    ids=["nginx", "nginx, server of HTTP/1.0", "nginx that buffers chunks", "haproxy",
         "haproxy, server of HTTP/1.0"],
)  # fmt: skip
def test_a_proxy_that_hands_on_each_token_is_not_accused(
    front: Front, server: Callable[..., FieldServer], tmp_path: Path
) -> None:
    rows, found, step = run_behind(front, server(tokens(0.005)), tmp_path)

    assert set(served(rows)["error"].dropna()) == set()
    assert "one_piece" not in found
    assert step["tpot_s"]["n"] == step["e2e_s"]["n"]
    assert step["tpot_s"]["p50"] >= 0.0045


@pytest.mark.parametrize(
    ("front", "server"),
    [
        (by_nginx(), http_1_0(tokens(0.003))),
        (by_haproxy(), http_1_1(tokens(0.003))),  # it waits 200 ms for more: for all of 60 ms
        (by_haproxy(), http_1_1(tokens(0.009))),  # ... and for most of 180 ms
    ],
    ids=["nginx", "haproxy", "haproxy, longer"],
)
def test_a_stream_that_a_proxy_held_back_has_no_tpot_and_the_proxy_is_named(
    front: Front, server: FieldServer, tmp_path: Path
) -> None:
    rows, found, step = run_behind(front, server, tmp_path, slo={"tpot_p95_s": 0.5})

    assert set(served(rows)["error"].dropna()) == set()
    assert step["tpot_s"]["n"] == 0
    assert (step["slo_met"], step["slo_verdict"]) == (None, "not_judged")
    assert step["goodput_requests_per_s"] == 0
    assert "in one piece" in found["one_piece"]["message"]
    for way_out in ("proxy_buffering off", "option http-no-delay"):
        assert way_out in found["one_piece"]["hint"]


@pytest.mark.parametrize(
    ("front", "server", "least_s"),
    [
        # 200 ms of 25 ms are 8 tokens in the first piece; the last of 12 came up to 25 ms less than 12 gaps later
        (by_haproxy(), http_1_1(tokens(0.025)), 0.025 * 11 / 12),
        (by_nginx(), http_1_0(tokens(0.01, chars=400)), 0.01),  # 4 KiB are 8 tokens of 500 bytes
    ],
    ids=["haproxy", "nginx"],
)
def test_a_stream_that_came_in_a_few_pieces_is_said_to_and_keeps_its_true_pace(
    front: Front, server: FieldServer, least_s: float, tmp_path: Path
) -> None:
    rows, found, step = run_behind(front, server, tmp_path, load=SHORT | {"step_s": 2})

    assert served(rows)["first_events"].median() > 1
    assert "in a few pieces" in found["one_piece"]["message"]
    assert "option http-no-delay" in found["one_piece"]["hint"]
    assert step["tpot_s"]["p50"] >= least_s


def test_connections_that_are_closed_after_20_requests_cost_no_failure(tmp_path: Path) -> None:
    front = by_nginx("proxy_buffering off;", server="keepalive_requests 20;")

    rows, _, _ = run_way(front, "ok", tmp_path, load=SHORT | {"step_s": 1})

    assert len(rows) > 2 * 20
    assert set(served(rows)["error"].dropna()) == set()
    assert set(rows["resent"]) == {0}


@pytest.mark.parametrize(
    ("status", "words", "way_out"),
    [(503, "503 Service Temporarily Unavailable", "limit_req"), (429, "429 Too Many Requests", "quota")],
)
def test_what_a_quota_refuses_is_named(status: int, words: str, way_out: str, tmp_path: Path) -> None:
    zone = "limit_req_zone $binary_remote_addr zone=z:1m rate=5r/s;"
    front = by_nginx(f"limit_req zone=z burst=5 nodelay; limit_req_status {status};", http=zone)

    rows, found, _ = run_way(front, "ok", tmp_path)

    assert set(served(rows)["error"].dropna()) == {f"http_{status}"}
    assert rows["error"].isna().any()
    assert {detail.partition("/")[0] for detail in rows["error_detail"].dropna()} == {f"{words}; nginx"}
    assert way_out in found["errors_over_limit"]["hint"]


@pytest.mark.parametrize(
    ("front", "way_out"),
    [
        (by_nginx("proxy_read_timeout 200ms; proxy_buffering off;"), "proxy_read_timeout"),
        (by_haproxy(server_s=0.2), "timeout server"),
    ],
    ids=["nginx", "haproxy"],
)
@pytest.mark.parametrize(("way", "error"), [("silent", "http_504"), ("stalls=2", "truncated")])
def test_a_proxy_that_gives_up_waiting_is_named(
    front: Front, way_out: str, way: str, error: str, tmp_path: Path
) -> None:
    rows, found, _ = run_way(front, way, tmp_path)

    assert set(served(rows)["error"]) == {error}
    assert way_out in found["errors_over_limit"]["hint"]


@pytest.mark.parametrize(
    ("front", "error", "words"),
    [
        (by_nginx(), "http_502", "502 Bad Gateway"),
        (by_haproxy("retries 0"), "http_503", "503 Service Unavailable; No server is available"),
    ],
    ids=["nginx", "haproxy"],
)
def test_a_proxy_before_a_dead_server_is_named(front: Front, error: str, words: str, tmp_path: Path) -> None:
    with front(tmp_path, free_port()) as port:
        rows, found, _ = run_at(tmp_path / "out", f"http://127.0.0.1:{port}", load=SHORT)

    assert set(served(rows)["error"]) == {error}
    assert rows["error_detail"].iloc[0].startswith(words)
    assert "a proxy before the server" in found["errors_over_limit"]["hint"]


def test_a_self_signed_certificate_needs_ca_file_and_is_measured_with_it(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {key};"

    with http_1_1(tokens(0.01)) as server, nginx(tmp_path, server.port, "proxy_buffering off;", server=tls) as port:
        url = f"https://127.0.0.1:{port}/field"
        with pytest.raises(EndpointError) as refused:
            run_at(tmp_path / "refused", url)
        rows, found, step = run_at(tmp_path / "out", url, ca_file=str(certificate))

    assert "--ca-file" in (refused.value.hint or "")
    assert set(served(rows)["error"].dropna()) == set()
    assert "one_piece" not in found
    assert step["tpot_s"]["p50"] >= 0.0095


def test_where_a_proxy_is_missing_the_test_fails_and_names_the_package() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"^no proxy-of-nobody on this machine: apt-get install proxy-of-"):
        program("proxy-of-nobody")
