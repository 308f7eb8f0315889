"""The oracle: an OpenAI-like SSE server that sends every token at a time known beforehand.

    python -m harness.calibration.oracle.server --port 0 --ledger ledger.jsonl --ttft-s 0.02 --itl-s 0.02

The first token is due `ttft_s` after the request's last byte arrived, the k-th `k * itl_s` later: absolute
times, so lateness never adds up. The headers `x-oracle-ttft-s` and `x-oracle-itl-s` override both per
request. When it listens, one JSON line with its port is printed. One thread, one loop, no framework: what
the loop costs is in the ledger as lateness. The ledger's columns: `harness.calibration.oracle.stream`.
"""

import argparse
import contextlib
import gc
import heapq
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from harness.calibration.oracle import http, wire
from harness.calibration.oracle.selector import precise_selector
from harness.calibration.oracle.stream import Connection, Stream

READ_BYTES = 65_536
IDLE_WAIT_S = 0.5  # how soon an idle server notices that its parent is gone
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; the socket module does not name it
_GENERATE = frozenset({"/v1/completions", "/v1/chat/completions"})


class Oracle:
    """The loop: sends what is due, reads what has come, and sleeps until the next of either."""

    def __init__(self, listener: socket.socket, ledger: BinaryIO | None, schedule: wire.Schedule) -> None:
        self._listener = listener
        self._ledger = ledger
        self._schedule = schedule
        self._selector = precise_selector()
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._due: list[tuple[int, int, Stream]] = []  # when, order of asking, what
        self._order = 0
        self.counters = wire.Counters()
        self.is_stopping = False

    def stop_on_signals(self) -> None:
        """SIGTERM and SIGINT end `run` at once; it is the wake-up socket that ends the wait."""

        def stop(*_: object) -> None:
            self.is_stopping = True

        signal.set_wakeup_fd(self._wake.fileno())
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    def run(self, parent_pid: int | None) -> None:
        """Serve until told to stop, or until `parent_pid` is no longer our parent."""
        while not self.is_stopping and parent_pid in (None, os.getppid()):
            wait_s = self._send_due()
            for key, mask in self._selector.select(wait_s):
                if key.data is None:
                    self._accept()
                elif mask & selectors.EVENT_WRITE:
                    self._drain(key.data)
                else:
                    self._read(key.data)
        for _, _, stream in self._due:
            self._write_row(stream)

    def _send_due(self) -> float:
        """Send all tokens that are due; seconds until the next one."""
        now_ns = time.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            _, order, stream = heapq.heappop(self._due)
            if stream.connection.stream is not stream:
                continue  # its client went away
            self._send_next(stream)
            if stream.is_finished():
                self._finish(stream)
            else:
                heapq.heappush(self._due, (stream.due_ns(), order, stream))
        if not self._due:
            return IDLE_WAIT_S
        return min(max((self._due[0][0] - time.monotonic_ns()) * 1e-9, 0.0), IDLE_WAIT_S)

    def _send_next(self, stream: Stream) -> None:
        if stream.work.is_streaming:
            count, data = 1, stream.events.token(len(stream.sent_ns))
        else:
            count, data = stream.work.max_tokens, http.json_answer(wire.whole_answer(stream.work, stream.created_s))
        stream.sent_ns.extend([time.monotonic_ns()] * count)
        self._send(stream.connection, data)
        self.counters.generation_tokens += count

    def _finish(self, stream: Stream) -> None:
        connection = stream.connection
        self._write_row(stream)  # first: who has read the end of a stream finds it in the ledger
        if stream.work.is_streaming:
            self._send(connection, stream.events.end() + http.LAST_CHUNK)
        connection.stream = None
        self.counters.running -= 1
        self.counters.finished += 1
        if connection.closes:
            self._close_when_sent(connection)
        elif connection.inbox:
            self._serve(connection, self._received_now())

    def _write_row(self, stream: Stream) -> None:
        if self._ledger is not None:
            self._ledger.write(orjson.dumps(stream.ledger_row(), option=orjson.OPT_APPEND_NEWLINE))

    def _accept(self) -> None:
        for _ in range(256):  # a burst of new clients must not hold up tokens that are due
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if sys.platform == "linux":
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _read(self, connection: Connection) -> None:
        try:
            data, ancillary, _, _ = connection.sock.recvmsg(READ_BYTES, 64)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        if not data:
            self._close(connection)
            return
        connection.inbox += data
        if connection.stream is None:
            self._serve(connection, self._received_now(ancillary))

    def _received_now(self, ancillary: Sequence[tuple[int, int, bytes]] = ()) -> int:
        """When the bytes just read arrived, monotonic ns, by the kernel's stamp where it gives one."""
        realtime_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
                seconds, nanoseconds = struct.unpack_from("qq", data)
                monotonic_ns -= realtime_ns - (seconds * 1_000_000_000 + nanoseconds)
        return monotonic_ns

    def _serve(self, connection: Connection, received_ns: int) -> None:
        """Answer the whole requests that have arrived, up to the first that takes time."""
        try:
            while connection.stream is None and connection.sock.fileno() >= 0:
                request = http.take_request(connection.inbox)
                if request is None:
                    break
                connection.closes = request.headers.get("connection", "").lower() == "close"
                self._answer(connection, request, received_ns)
                if connection.closes and connection.stream is None:
                    self._close_when_sent(connection)
        except http.BadRequestError as error:
            self._send(connection, http.error_answer(error))
            self._close_when_sent(connection)

    def _answer(self, connection: Connection, request: http.Request, received_ns: int) -> None:
        try:
            if request.method == "POST" and request.path in _GENERATE:
                self._start(connection, request, received_ns)
                return
            data = self._quick_answer(request)
        except http.BadRequestError as error:
            data = http.error_answer(error)
        self._send(connection, data)

    def _quick_answer(self, request: http.Request) -> bytes:
        match request.method, request.path:
            case "GET", "/v1/models":
                return http.json_answer(wire.models())
            case "GET", "/health":
                return http.answer(200, b"")
            case "GET", "/version":
                return http.json_answer({"version": "oracle-1"})
            case "GET", "/metrics":
                return http.answer(200, wire.metrics_text(self.counters), "text/plain; version=0.0.4; charset=utf-8")
            case "POST", "/tokenize":
                return http.json_answer(wire.tokenized(wire.parse_object(request.body)))
        raise http.BadRequestError(404, f"no route {request.method} {request.path}")

    def _start(self, connection: Connection, request: http.Request, received_ns: int) -> None:
        self._order += 1
        work = wire.parse_work(request, self._schedule, f"oracle-{self._order}")
        stream = Stream(connection, work, received_ns)
        connection.stream = stream
        self.counters.running += 1
        self.counters.prompt_tokens += work.prompt_tokens
        heapq.heappush(self._due, (stream.due_ns(), self._order, stream))
        if work.is_streaming:
            # Headers and the chat stream's role leave at once: who takes them for a token is caught.
            role = stream.events.role() if work.is_chat else b""
            self._send(connection, http.stream_head(work.request_id) + role)

    def _send(self, connection: Connection, data: bytes) -> None:
        """Send, or queue what the socket does not take."""
        if connection.outbox:
            connection.outbox += data
            return
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # the reader's side will see the end and close
        if sent < len(data):
            connection.outbox += data[sent:]
            self._selector.modify(connection.sock, selectors.EVENT_WRITE, connection)

    def _drain(self, connection: Connection) -> None:
        try:
            sent = connection.sock.send(connection.outbox)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)
            return
        del connection.outbox[:sent]
        if not connection.outbox:
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
            if connection.closes and connection.stream is None:
                self._close(connection)

    def _close_when_sent(self, connection: Connection) -> None:
        connection.closes = True
        if not connection.outbox:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.sock.fileno() < 0:
            return
        stream, connection.stream = connection.stream, None
        if stream is not None:
            self.counters.running -= 1
            self._write_row(stream)
        self._selector.unregister(connection.sock)
        connection.sock.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen, say where, serve until SIGTERM, SIGINT or the parent's end."""
    options = _parse(arguments)
    if options.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {options.core})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parent_pid = os.getppid() if options.with_parent else None
    listener = socket.create_server(("127.0.0.1", options.port), backlog=4096)
    listener.setblocking(False)
    # Unbuffered: a row is in the file when its request has ended, whatever happens to this process.
    ledger = options.ledger.open("ab", buffering=0) if options.ledger is not None else None
    oracle = Oracle(listener, ledger, wire.Schedule(options.ttft_s, options.itl_s))
    oracle.stop_on_signals()
    port = listener.getsockname()[1]
    ready = {"port": port, "url": f"http://127.0.0.1:{port}", "pid": os.getpid()}
    print(orjson.dumps(ready).decode(), flush=True)
    gc.collect()
    gc.disable()  # nothing here makes cycles that last; a collection would be lateness
    oracle.run(parent_pid)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m harness.calibration.oracle.server",
        description="An SSE server with a known schedule and a ledger.",
    )
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--ledger", type=Path, help="JSON-lines file to append what was really sent to")
    parser.add_argument("--ttft-s", type=float, default=0.02, help="seconds to the first token")
    parser.add_argument("--itl-s", type=float, default=0.02, help="seconds between two tokens")
    parser.add_argument("--core", type=int, help="pin the server to this CPU (Linux)")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it ends")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
