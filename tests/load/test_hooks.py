"""The insides of libraries that the stamping rests on: when one has moved, this says which."""

import inspect

import gevent.socket
import pytest
from geventhttpclient.connectionpool import ConnectionPool, SSLConnectionPool
from geventhttpclient.response import HTTPResponse


@pytest.mark.parametrize(
    ("owner", "name", "arguments"),
    [
        (ConnectionPool, "_create_tcp_socket", ["self", "family", "socktype", "protocol"]),
        (ConnectionPool, "_resolve", ["self"]),
        (ConnectionPool, "_is_socket_alive", ["self", "sock"]),
        (SSLConnectionPool, "_resolve", ["self"]),
        (SSLConnectionPool, "_is_socket_alive", ["self", "sock"]),
        (ConnectionPool, "get_socket", ["self"]),
        (ConnectionPool, "return_socket", ["self", "sock"]),
        (ConnectionPool, "release_socket", ["self", "sock"]),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_geventhttpclients_pool_still_has_the_hook(owner: type, name: str, arguments: list[str]) -> None:
    hook = getattr(owner, name, None)

    assert hook is not None, f"geventhttpclient: {owner.__name__}.{name} is gone (harness/load/wire/pools.py)"
    assert list(inspect.signature(hook).parameters) == arguments, f"{owner.__name__}.{name} takes other arguments"


def test_geventhttpclients_parser_still_takes_bytes() -> None:
    response = HTTPResponse("POST")

    for name in ("feed", "headers_complete", "message_complete", "get_code", "should_close", "get"):
        assert hasattr(response, name), f"geventhttpclient: HTTPResponse.{name} is gone"


def test_gevents_socket_still_has_what_reading_ahead_wakes_its_reader_with() -> None:
    with gevent.socket.socket() as sock:
        for name in ("_sock", "_read_event", "_wait"):
            assert hasattr(sock, name), f"gevent: socket.{name} is gone (harness/load/wire/sockets.py)"
        for name in ("feed", "callback", "args"):
            assert hasattr(sock._read_event, name), f"gevent: a socket's _read_event.{name} is gone"
