"""A client's connection, a generation in progress, and the line of the ledger it becomes.

A line of the ledger is one request, written when it ended (times in ns, CLOCK_MONOTONIC and CLOCK_REALTIME):
`request_id path stream finished prompt_tokens max_tokens tokens_sent ttft_s itl_s received_clock
received_monotonic_ns received_realtime_ns planned_monotonic_ns[] sent_monotonic_ns[] sent_realtime_ns[]
lateness_ns[] queued_writes`. `sent` is stamped just before the write; on loopback the receiver's kernel has
the bytes before the write returns. `queued_writes` counts tokens that found the socket full because the
client did not read: their times are not the wire's.
"""

import socket
from array import array
from typing import NamedTuple

from harness.calibration.oracle import wire


class Received(NamedTuple):
    """When a request's last byte arrived."""

    clock: str  # kernel: stamped by the network stack; user: when the server read it
    monotonic_ns: int
    realtime_ns: int


class Connection:
    """One client's socket, what has arrived on it, and the stream being sent."""

    __slots__ = ("closes", "inbox", "outbox", "sock", "stream")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = bytearray()
        self.outbox = bytearray()  # bytes that the socket would not take
        self.stream: Stream | None = None
        self.closes = False  # after the answer in progress


class Stream:
    """One generation in progress: its plan and when its tokens really left."""

    __slots__ = ("connection", "events", "queued_writes", "received", "sent_monotonic", "sent_realtime", "work")

    def __init__(self, connection: Connection, work: wire.Work, received: Received) -> None:
        self.connection = connection
        self.work = work
        self.received = received
        self.events = wire.EventWriter(work, received.realtime_ns // 1_000_000_000)
        self.sent_monotonic = array("q")
        self.sent_realtime = array("q")
        self.queued_writes = 0

    def planned_ns(self, k: int) -> int:
        """When token k is due; in an answer that is not streamed all are due with the last."""
        last = self.work.max_tokens - 1
        return self.received.monotonic_ns + self.work.planned_offset_ns(k if self.work.is_streaming else last)

    def due_ns(self) -> int:
        """When the next write is due."""
        return self.planned_ns(len(self.sent_monotonic))

    def is_finished(self) -> bool:
        """True when every token is out."""
        return len(self.sent_monotonic) == self.work.max_tokens

    def ledger_row(self) -> dict[str, object]:
        """What really happened, as a line of the ledger."""
        work, sent = self.work, self.sent_monotonic.tolist()
        clock, monotonic_ns, realtime_ns = self.received
        planned = [self.planned_ns(k) for k in range(len(sent))]
        return {
            "request_id": work.request_id, "path": work.path, "stream": work.is_streaming,
            "finished": self.is_finished(), "prompt_tokens": work.prompt_tokens,
            "max_tokens": work.max_tokens, "tokens_sent": len(sent),
            "ttft_s": work.ttft_s, "itl_s": work.itl_s, "received_clock": clock,
            "received_monotonic_ns": monotonic_ns, "received_realtime_ns": realtime_ns,
            "planned_monotonic_ns": planned, "sent_monotonic_ns": sent,
            "sent_realtime_ns": self.sent_realtime.tolist(),
            "lateness_ns": [late - plan for late, plan in zip(sent, planned, strict=True)],
            "queued_writes": self.queued_writes,
        }  # fmt: skip
