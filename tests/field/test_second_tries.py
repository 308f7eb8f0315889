"""Kept connections that a server closes: only what provably nobody read is asked again; what waited is a failure."""

import contextlib
import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from faulty_exchange import Exchange
from faulty_server import good
from load_helpers import records_of, run_load, scenario
from one_fault import OneFault

from harness.load.wire.clock import RunClock
from harness.load.wire.exchange import ConnectionLost
from harness.load.wire.exchange import Exchange as Wired
from harness.load.wire.kept import REST_S
from harness.load.wire.sockets import acked_bytes, was_closed_unread
from harness.load.wire.transport import Target
from harness.pipeline.analyse import analyse_run

ONLY_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell what was acknowledged")
TWO_USERS = {"kind": "closed", "users": [2], "step_s": 1.2, "warmup_s": 0}


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def closes_after_each(how: str) -> Callable[[Exchange], None]:
    """Says nothing of it, and closes when the answer is out: orderly, or with a reset."""

    def post(x: Exchange) -> None:
        good(x)
        if how == "rst":
            x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        x.keeps_alive = False

    return post


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_server_that_closes_after_each_answer_costs_no_request_and_is_counted(how: str, tmp_path: Path) -> None:
    with OneFault(closes_after_each(how)) as server:
        measured = run_load(tmp_path, server.base, work=scenario(load=TWO_USERS))
        asked = [x.headers["x-request-id"] for x in server.generations() if x.path.endswith("completions")]
    analyse_run(measured.run_dir)

    rows = records_of(measured)
    assert set(rows["error"].dropna()) <= {"cut_at_end"}
    assert len(asked) == len(set(asked)) == len(rows)  # nothing was asked twice
    told = json.loads((measured.run_dir / "run.json").read_text())["client"]
    assert told["kept_connections_found_closed"] > 2
    assert "kept connections found closed" in (measured.run_dir / "report.md").read_text()


def drops(when: Callable[[Exchange], bool], how: Callable[[Exchange], None]) -> Callable[[Exchange], None]:
    """Some requests are read and not answered."""

    def post(x: Exchange) -> None:
        if when(x):
            how(x)
            x.keeps_alive = False
        else:
            good(x)

    return post


def waits(x: Exchange) -> None:
    time.sleep(0.3)


def resets(x: Exchange) -> None:
    x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("how", [waits, resets, lambda x: None], ids=["waited", "reset", "closed at once"])
def test_a_request_that_was_read_and_not_answered_is_a_failure_and_is_asked_once(
    how: Callable[[Exchange], None], tmp_path: Path
) -> None:
    with OneFault(drops(lambda x: x.count % 4 == 0, how)) as server:
        measured = run_load(tmp_path, server.base, work=scenario(load=TWO_USERS))
        asked = [x.headers["x-request-id"] for x in server.generations() if x.path.endswith("completions")]

    rows = records_of(measured)
    assert len(asked) == len(set(asked))
    assert "reset" in set(rows["error"])
    assert set(rows["resent"]) == {0}


def serve_once_then(close: Callable[[socket.socket], None], seen: list[bytes]) -> tuple[int, threading.Thread]:
    """A server of two connections: on the first it answers once and then does as told; on the second it answers."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(sock: socket.socket) -> None:
        seen.append(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def run() -> None:
        with listener:
            first, _ = listener.accept()
            answer(first)
            close(first)
            listener.settimeout(2)
            with contextlib.suppress(TimeoutError):
                second, _ = listener.accept()
                answer(second)
                second.close()

    thread = threading.Thread(target=run)
    thread.start()
    return listener.getsockname()[1], thread


def ask(target: Target) -> Wired:
    exchange = Wired(awaits_first=False)
    target.request("POST", "/v1/completions", lambda _, __: None, exchange, body=b"{}")
    return exchange


@pytest.mark.parametrize("close", [socket.socket.close, reset], ids=["fin", "rst"])
def test_a_kept_connection_that_was_closed_while_it_lay_idle_is_not_used(
    close: Callable[[socket.socket], None],
) -> None:
    seen: list[bytes] = []
    port, thread = serve_once_then(close, seen)
    with contextlib.closing(Target(f"http://127.0.0.1:{port}", {}, RunClock(0))) as target:
        ask(target)
        second = ask(target)

        assert (second.status, second.attempts) == (200, 1)
        assert target.found_closed == 2  # after the first the second is not counted on any more
    thread.join()
    assert len(seen) == 2


def test_a_kept_connection_that_reads_and_closes_is_not_asked_again() -> None:
    seen: list[bytes] = []

    def read_and_close(sock: socket.socket) -> None:
        seen.append(sock.recv(65536))
        sock.close()

    port, thread = serve_once_then(read_and_close, seen)
    with contextlib.closing(Target(f"http://127.0.0.1:{port}", {}, RunClock(0))) as target:
        ask(target)
        with pytest.raises(ConnectionLost, match="closed before any answer"):
            ask(target)
    thread.join()
    assert len(seen) == 2


@pytest.fixture
def pair() -> Iterator[tuple[gevent.socket.socket, socket.socket]]:
    """A connection over which an answer has come already: the client's end, the server's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = gevent.socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        client.sendall(b"one")
        server.recv(10)
        server.sendall(b"yes")
        client.recv(10)
        yield client, server
        client.close()
        server.close()


@ONLY_LINUX
def test_closed_before_it_was_written_is_proof_that_nobody_read_it(
    pair: tuple[gevent.socket.socket, socket.socket],
) -> None:
    client, server = pair
    acked = acked_bytes(client)
    assert acked is not None
    server.close()
    client.send(b"two")

    assert client.recv(10) == b""
    assert was_closed_unread(client, acked)


@ONLY_LINUX
def test_read_and_then_closed_is_none(pair: tuple[gevent.socket.socket, socket.socket]) -> None:
    client, server = pair
    acked = acked_bytes(client)
    assert acked is not None
    client.send(b"two")
    server.recv(10)
    server.close()

    assert client.recv(10) == b""
    assert not was_closed_unread(client, acked)


@ONLY_LINUX
def test_a_server_that_only_stopped_sending_may_still_read(pair: tuple[gevent.socket.socket, socket.socket]) -> None:
    client, server = pair
    acked = acked_bytes(client)
    assert acked is not None
    server.shutdown(socket.SHUT_WR)
    client.send(b"two")

    assert client.recv(10) == b""
    assert not was_closed_unread(client, acked)


def test_a_server_that_keeps_connections_is_waited_for_once() -> None:
    with OneFault() as server, contextlib.closing(Target(server.base, {}, RunClock(0))) as target:
        rests = [ask(target).rest_s for _ in range(3)]

        assert rests == [REST_S, 0.0, 0.0]
        assert target.connections == 1
        assert target.found_closed == 0


def test_a_server_that_says_it_closes_is_not_waited_for() -> None:
    def post(x: Exchange) -> None:
        x.whole(200, b"{}", connection="close")
        x.keeps_alive = False

    with OneFault(post) as server, contextlib.closing(Target(server.base, {}, RunClock(0))) as target:
        assert [ask(target).rest_s for _ in range(2)] == [0.0, 0.0]
        assert target.found_closed == 0
