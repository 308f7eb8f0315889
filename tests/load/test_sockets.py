"""Arrival stamps of the kernel, and the lookout that reads first tokens while the process is busy."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import gevent
import pytest

from harness.load.wire.sockets import GLANCE_NS, LOOKOUT, StampedSocket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps segments")


@pytest.fixture(scope="module", autouse=True)
def stamping() -> None:
    """The kernel begins to stamp a moment after it is asked to."""
    LOOKOUT.open()
    for _ in range(100):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            client = StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0)
            client.connect(listener.getsockname())
            server, _ = listener.accept()
            server.sendall(b"x")
            client.recv(1)
            client.close()
            server.close()
        if client.arrived_ns is not None:
            return
    pytest.fail("the kernel stamps nothing")


@pytest.fixture
def pair() -> Iterator[tuple[StampedSocket, socket.socket]]:
    """A stamped client socket, watched, and the server's end of its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    LOOKOUT.watch(client)
    yield client, server
    LOOKOUT.forget(client)
    client.close()
    server.close()


def glance() -> None:
    """Look when the next look is due."""
    end_ns = time.monotonic_ns() + 2 * GLANCE_NS
    while time.monotonic_ns() < end_ns:
        LOOKOUT.glance()


def stamped(client: StampedSocket) -> tuple[bytes, int]:
    data = client.recv(256)
    assert client.arrived_ns is not None
    return data, client.arrived_ns


def test_tokens_that_came_while_the_process_was_busy_keep_their_own_stamps(
    pair: tuple[StampedSocket, socket.socket],
) -> None:
    client, server = pair
    sent_ns = []
    for token in (b"one", b"two", b"three"):
        sent_ns.append(time.time_ns())
        server.sendall(token)
        glance()  # nobody reads: a greenlet that is busy elsewhere only glances

    pieces = [stamped(client) for _ in range(3)]

    assert [data for data, _ in pieces] == [b"one", b"two", b"three"]
    # each stamp lies after its own sending and before the next one's
    for k, (_, arrived_ns) in enumerate(pieces):
        assert sent_ns[k] <= arrived_ns < [*sent_ns, time.time_ns()][k + 1]


def test_without_a_glance_the_kernel_stamps_merged_tokens_with_the_last(
    pair: tuple[StampedSocket, socket.socket],
) -> None:
    client, server = pair
    server.sendall(b"one")
    second_ns = time.time_ns()
    server.sendall(b"two")

    data, arrived_ns = stamped(client)

    assert data == b"onetwo"
    assert arrived_ns >= second_ns  # why the lookout is there


def test_a_reader_that_sleeps_is_woken_by_what_was_read_ahead(pair: tuple[StampedSocket, socket.socket]) -> None:
    client, server = pair
    reader = gevent.spawn(client.recv, 256)
    gevent.sleep(0)  # it waits now
    server.sendall(b"token")
    glance()  # takes the bytes: the socket is not readable any more

    assert reader.get(timeout=5) == b"token"


def test_what_follows_is_read_in_order_and_an_end_is_an_end(pair: tuple[StampedSocket, socket.socket]) -> None:
    client, server = pair
    server.sendall(b"first")
    glance()
    LOOKOUT.forget(client)
    server.sendall(b"second")
    server.close()

    assert [client.recv(256) for _ in range(3)] == [b"first", b"second", b""]


def test_a_reset_that_was_noticed_ahead_is_the_readers_error(pair: tuple[StampedSocket, socket.socket]) -> None:
    client, server = pair
    # closing with unread data resets the connection
    client.sendall(b"x")
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server.close()
    glance()

    with pytest.raises(ConnectionResetError):
        client.recv(256)


def test_an_import_opens_nothing() -> None:
    code = (
        "import os; from pathlib import Path; import gevent.socket\n"
        "def opened(): return {os.readlink(p) for p in Path('/proc/self/fd').iterdir() if p.is_symlink()}\n"
        "before = opened(); import harness.load.wire.sockets\n"
        "print([x for x in opened() - before if x.startswith(('socket:', 'anon_inode:'))])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
