"""A small server that misbehaves in every way an engine or a proxy was seen to, one way per path prefix.

    with FaultyServer() as server:
        server.url("cut-mid-stream=3")   # http://127.0.0.1:41234/cut-mid-stream=3

A base URL may carry a path prefix, so the way is named there and the client appends `/v1/completions`,
`/v1/chat/completions` or `/generate_stream`. `=value` is a number of tokens, seconds or a status, where the
way has one. GET probes are answered well but for the ways of `PROBE_WAYS`; there is neither a tokenizer nor
/metrics. `server.requests` holds every request that arrived, as an `Exchange`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from faulty_exchange import DONE, TOKEN_GAP_S, Exchange, data

HTML = b"<!doctype html><title>Welcome</title><h1>It works!</h1>"
OPENAI_ERROR = data({"error": {"message": "out of memory", "type": "server_error", "code": 500}})
TGI_ERROR = data({"error": "Model is overloaded", "error_type": "overloaded"})


def good(x: Exchange) -> None:
    if x.body.get("stream") or x.path.endswith("/generate_stream"):
        x.stream(x.good_events())
        x.end()
        return
    text = " tok" * x.tokens
    choice = {"index": 0, "finish_reason": "length", "text": text, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 7, "completion_tokens": x.tokens, "total_tokens": 7 + x.tokens}
    x.whole(200, json.dumps({"id": "f", "object": "o", "choices": [choice], "usage": usage}).encode())


def status_json(x: Exchange) -> None:
    status = x.k(500)
    body = {"error": {"message": f"no luck: {status}", "type": "faulty", "code": status}}
    more = {"retry_after": 1} if status == 429 else {}
    x.whole(status, json.dumps(body).encode(), **more)


def status_text(x: Exchange) -> None:
    x.whole(x.k(500), f"no luck: {x.k(500)}\nsecond line".encode(), "text/plain; charset=utf-8")


def refuses_key(x: Exchange) -> None:
    """400 to every body with the key `value`, as servers do that know their keys by heart."""
    if x.value in x.body:
        x.whole(400, json.dumps({"error": {"message": f"Unrecognized request argument: {x.value}"}}).encode())
    else:
        good(x)


def quotes_key(x: Exchange) -> None:
    """A 401 that quotes the key it got after `value` other characters."""
    words = "x" * x.k() + x.headers["authorization"]
    x.whole(401, json.dumps({"error": {"message": words}}).encode())


def fails_every(x: Exchange) -> None:
    """Every `value`-th generation is a 500."""
    if x.count % x.k(2) == 0:
        x.whole(500, b'{"error": {"message": "this one fails"}}')
    else:
        good(x)


def cut_mid_stream(x: Exchange) -> None:
    x.stream(x.token_events(x.k()))
    x.keeps_alive = False


def reset(x: Exchange) -> None:
    x.stream(x.token_events(x.k()))
    x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    x.keeps_alive = False


def then_silence(events: Callable[[Exchange], Iterable[bytes]]) -> Callable[[Exchange], None]:
    def way(x: Exchange) -> None:
        x.stream(events(x))
        x.wait_for_client()

    return way


def streams(events: Callable[[Exchange], Iterable[bytes]]) -> Callable[[Exchange], None]:
    """A way whose only peculiarity is which events it sends."""

    def way(x: Exchange) -> None:
        x.stream(events(x))
        x.end()

    return way


def slow_first_token(x: Exchange) -> None:
    x.stream([])
    time.sleep(x.number(0.2))
    for event in x.good_events():
        x.chunk(event)
    x.end()


_TURN = threading.Lock()


def one_at_a_time(x: Exchange) -> None:
    """A server with one slot: an answer takes `value` seconds, and first come is first served."""
    with _TURN:
        done_s = x.free_from[0] = max(time.monotonic(), x.free_from[0]) + x.number(0.1)
    time.sleep(max(done_s - time.monotonic(), 0))
    x.stream([b"".join(x.good_events())])
    x.end()


def byte_by_byte(x: Exchange) -> None:
    x.stream([])
    for byte in b"".join(x.good_events()):
        x.chunk(bytes([byte]))
    x.end()


def utf8_split(x: Exchange) -> None:
    """Texts of several bytes a character, every write ending inside one."""
    x.stream([])
    for event in [*x.token_events(text=" é€😀"), x.usage(), DONE]:
        cut = event.find("😀".encode()) + 2 if b'choices": [{' in event else 3
        x.chunk(event[:cut])
        time.sleep(TOKEN_GAP_S)
        x.chunk(event[cut:])
    x.end()


def content_length(x: Exchange) -> None:
    x.whole(200, b"".join(x.good_events()), "text/event-stream")


def connection_close(x: Exchange) -> None:
    """No length and no chunks: the body ends with the connection."""
    x.head(connection="close")
    for event in x.good_events():
        x.sock.sendall(event)
        time.sleep(TOKEN_GAP_S)
    x.keeps_alive = False


def commented(x: Exchange) -> list[bytes]:
    return [b": ping\n\n", b":\n\n", *(part for event in x.good_events() for part in (event, b": keep-alive\n\n"))]


def merged(x: Exchange) -> list[bytes]:
    """`value` tokens in each event; the usage says how many there were."""
    k = x.k()
    sizes = [k] * (x.tokens // k) + ([x.tokens % k] if x.tokens % k else [])
    events = [x.event(" tok" * size) for size in sizes[:-1]]
    return [*events, x.event(" tok" * sizes[-1], finish="length"), x.usage(), DONE]


WAYS: dict[str, Callable[[Exchange], None]] = {
    "ok": good,
    "status": status_json,  # =429 also says Retry-After: 1
    "status-text": status_text,
    "retry-after": lambda x: x.whole(429, b'{"error": {"message": "later"}}', retry_after=x.value),
    "fails-every": fails_every,
    "refuses-key": refuses_key,
    "html": lambda x: x.whole(200, HTML, "text/html"),
    "json-not-sse": lambda x: x.whole(200, b'{"choices": [{"text": "whole", "finish_reason": "stop"}]}'),
    "cut-mid-stream": cut_mid_stream,
    "cut-cleanly": streams(lambda x: x.token_events(x.k())),  # a body that ends well around a stream that does not
    "rst": reset,
    "never-answers": Exchange.wait_for_client,  # GET probes neither
    "silent": Exchange.wait_for_client,
    "headers-then-silence": then_silence(lambda _: []),
    "stalls": then_silence(lambda x: x.token_events(x.k())),
    "error-event": streams(lambda x: [*x.token_events(x.k()), OPENAI_ERROR, DONE]),
    "error-event-no-done": streams(lambda x: [*x.token_events(x.k()), OPENAI_ERROR]),
    "error-first": streams(lambda _: [OPENAI_ERROR, DONE]),
    "tgi-error": streams(lambda x: [*x.token_events(x.k()), TGI_ERROR]),
    "garbage-event": streams(lambda x: [*x.token_events(x.k()), b"data: {not json\n\n", DONE]),
    "odd-events": streams(lambda x: [data({"choices": {"a": 1}}), data({"choices": [5]}), *x.good_events()]),
    "odd-body": lambda x: x.whole(200, b'{"choices": {"a": 1}}'),
    "quotes-key": quotes_key,
    "done-without-finish-reason": streams(lambda x: [*x.token_events(x.tokens), x.usage(), DONE]),
    "zero-tokens": streams(lambda x: [x.event(None, finish="stop", tokens_so_far=0), x.usage(0), DONE]),
    "empty-text": streams(lambda x: [*x.token_events(text=""), x.usage(), DONE]),
    "role-first": streams(lambda x: [x.role(), *x.good_events()]),
    "role-only": streams(lambda x: [x.role(), x.event(None, finish="stop"), x.usage(0), DONE]),
    "comments": streams(commented),
    "byte-by-byte": byte_by_byte,
    "several-per-write": streams(lambda x: [b"".join(x.good_events())]),
    "utf8-split": utf8_split,
    "no-space": streams(lambda x: [event.replace(b"data: ", b"data:") for event in x.good_events()]),
    "crlf": streams(lambda x: [event.replace(b"\n", b"\r\n") for event in x.good_events()]),
    "merged": streams(merged),
    "no-usage": streams(lambda x: [*x.token_events(), DONE]),
    "no-done": streams(lambda x: [*x.token_events(), x.usage()]),
    "content-length": content_length,
    "connection-close": connection_close,
    "one-at-a-time": one_at_a_time,
    "slow-first-token": slow_first_token,
    "no-probes": good,
    "nonsense-probes": good,
    "silent-probes": good,
    "serves": good,  # lists the model `value`
}

PROBE_WAYS: dict[str, Callable[[Exchange], None]] = {
    "never-answers": Exchange.wait_for_client,
    "silent-probes": Exchange.wait_for_client,
    "nonsense-probes": lambda x: x.whole(200, HTML, "text/html"),
    "no-probes": lambda x: x.whole(404, b"nothing here", "text/plain"),
    "serves": lambda x: x.whole(200, json.dumps({"data": [{"id": x.value}]}).encode()),
}


def probe(x: Exchange) -> None:
    """GET as an engine without tokenizer and metrics answers it."""
    bodies = {
        "/v1/models": {"object": "list", "data": [{"id": "faulty", "object": "model"}]},
        "/version": {"version": "0.0.1"},
        "/health": {},
    }
    body = bodies.get(x.path)
    x.whole(200 if body is not None else 404, json.dumps(body or {}).encode())


class _Handler(socketserver.BaseRequestHandler):
    """A connection: its requests one after the other, until a way ends it."""

    server: FaultyServer

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with self.request.makefile("rb") as lines:
                while (exchange := self._read(lines)) is not None:
                    self.server.answer(exchange)
                    if not exchange.keeps_alive:
                        return
        except OSError:
            return  # the client went away, or the server stops

    def _read(self, lines: Any) -> Exchange | None:
        first = lines.readline().decode().split()
        if len(first) != 3:
            return None
        headers = {}
        while (line := lines.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = lines.read(int(headers.get("content-length", 0)))
        _, prefix, *rest = first[1].split("/")
        way, _, value = prefix.partition("=")
        parsed = json.loads(body) if body else {}
        return Exchange(self.request, way, first[0], "/" + "/".join(rest), value or None, headers, parsed)


class FaultyServer(socketserver.ThreadingTCPServer):
    """Listens on a free loopback port from `with` to the end of the block."""

    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Exchange] = []
        self.free_from = [0.0]  # when the one slot of `one-at-a-time` is free
        self.arrived = threading.Event()  # set when a request has come
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def port(self) -> int:
        return self.server_address[1]

    def url(self, way: str = "ok") -> str:
        """The base URL under which the server behaves in that way, e.g. `cut-mid-stream=3`."""
        if way.partition("=")[0] not in WAYS:
            raise KeyError(way)
        return f"http://127.0.0.1:{self.port}/{way}"

    def generations(self) -> list[Exchange]:
        """The POSTs among `requests`."""
        return [exchange for exchange in self.requests if exchange.method == "POST"]

    def answer(self, exchange: Exchange) -> None:
        with self._lock:
            self.requests.append(exchange)
            exchange.free_from = self.free_from
            exchange.count = len(self.generations())
        self.arrived.set()
        if exchange.method == "GET":
            PROBE_WAYS.get(exchange.way, probe)(exchange)
        elif exchange.path.endswith("tokenize"):
            exchange.whole(404, b"{}")
        else:
            WAYS[exchange.way](exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        # Closed as it is: a FIN of its own first would turn the reset of `rst` into a clean end.
        self.close_request(request)

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        with self._lock:
            waiting = list(self._open)
        for sock in waiting:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.server_close()  # waits for the threads
        self._thread.join()
