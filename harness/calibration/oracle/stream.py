"""A client's connection, a generation in progress, and the line of the ledger it becomes.

A line of the ledger is one request, written when it ended (times in ns of CLOCK_MONOTONIC): `request_id path stream
finished prompt_tokens max_tokens tokens_sent received_monotonic_ns planned_monotonic_ns[] sent_monotonic_ns[]
lateness_ns[]`. `sent` is stamped just before the write; on loopback the receiver's kernel has the bytes before the
write returns.
"""

from __future__ import annotations

import socket
import time
from array import array

from harness.calibration.oracle import wire


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

    __slots__ = ("connection", "created_s", "events", "received_ns", "sent_ns", "work")

    def __init__(self, connection: Connection, work: wire.Work, received_ns: int) -> None:
        self.connection = connection
        self.work = work
        self.received_ns = received_ns  # when the request's last byte arrived
        self.created_s = int(time.time())
        self.events = wire.EventWriter(work, self.created_s)
        self.sent_ns = array("q")

    def planned_ns(self, k: int) -> int:
        """When token k is due; in an answer that is not streamed all are due with the last."""
        last = self.work.max_tokens - 1
        return self.received_ns + self.work.planned_offset_ns(k if self.work.is_streaming else last)

    def due_ns(self) -> int:
        """When the next write is due."""
        return self.planned_ns(len(self.sent_ns))

    def is_finished(self) -> bool:
        """True when every token is out."""
        return len(self.sent_ns) == self.work.max_tokens

    def ledger_row(self) -> dict[str, object]:
        """What really happened, as a line of the ledger."""
        work, sent = self.work, self.sent_ns.tolist()
        planned = [self.planned_ns(k) for k in range(len(sent))]
        return {
            "request_id": work.request_id, "path": work.path, "stream": work.is_streaming,
            "finished": self.is_finished(), "prompt_tokens": work.prompt_tokens,
            "max_tokens": work.max_tokens, "tokens_sent": len(sent),
            "received_monotonic_ns": self.received_ns,
            "planned_monotonic_ns": planned, "sent_monotonic_ns": sent,
            "lateness_ns": [late - plan for late, plan in zip(sent, planned, strict=True)],
        }  # fmt: skip
