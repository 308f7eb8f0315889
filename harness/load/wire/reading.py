"""One answer as it comes in: its token events with their stamps, and in the end whether it was any good."""

from dataclasses import dataclass, field

from harness.backends.faults import BROKE_EARLY, EMPTY, UNFINISHED
from harness.backends.wire import MAX_DETAIL_CHARS, ODD_SHAPE, Answer, Reader, error_detail
from harness.load.wire.sse import SseParser
from harness.load.wire.transport import MAX_BODY_BYTES, Exchange


@dataclass(slots=True)
class Reading:
    """Follows one answer: finds the token events in its bytes and keeps their stamps."""

    reader: Reader | None  # None: not streaming
    arrivals: list[int] | None  # None: nobody wants them
    sse: SseParser = field(default_factory=SseParser)
    body: bytearray = field(default_factory=bytearray)
    first_ns: int | None = None
    last_ns: int | None = None
    max_gap_ns: int | None = None
    saw_event: bool = False
    shared_events: int = 0  # token events that came out of one read with others: they share a stamp
    answer: Answer = field(default_factory=Answer)  # what it came to, once it has ended

    def on_bytes(self, exchange: Exchange, piece: bytes) -> None:
        """Take the next bytes of the body."""
        if (not self.saw_event or self.reader is None) and len(self.body) < MAX_BODY_BYTES:
            self.body += piece
        if self.reader is not None and exchange.is_success:
            self._events(self.sse.feed(piece), exchange.arrived_ns)
            exchange.awaits_first = self.first_ns is None
        else:
            exchange.awaits_first = False

    def close(self, arrived_ns: int) -> None:
        """The body has ended."""
        if self.reader is not None:
            self._events(self.sse.close(), arrived_ns)

    def _events(self, events: list[bytes], arrived_ns: int) -> None:
        reader, tokens = self.reader, 0
        assert reader is not None
        for event in events:
            self.saw_event = True
            try:
                if not reader.feed(event):
                    continue
            except ODD_SHAPE:  # no event of this dialect
                continue
            tokens += 1
            if self.last_ns is None:
                self.first_ns = arrived_ns
            else:
                gap_ns = arrived_ns - self.last_ns
                if self.max_gap_ns is None or gap_ns > self.max_gap_ns:
                    self.max_gap_ns = gap_ns
            self.last_ns = arrived_ns
            if self.arrivals is not None:
                self.arrivals.append(arrived_ns)
        if tokens > 1:
            self.shared_events += tokens


def broke_off(reading: Reading) -> str:
    """Where in its stream an answer broke off that HTTP calls incomplete."""
    if not reading.saw_event:
        return BROKE_EARLY
    assert reading.reader is not None
    answer = reading.reader.answer
    return UNFINISHED if answer.done and not answer.finish_reason else "the answer broke off"


def judge(exchange: Exchange, reading: Reading) -> tuple[str | None, str | None]:
    """Why an answer that came to its end has failed, or (None, None).

    HTTP 200 is no success and neither is `[DONE]`: success is a finish reason and at least one token.
    """
    status, answer = exchange.status or 0, reading.answer
    body = bytes(reading.body)
    if not exchange.is_success:
        return f"http_{status}", error_detail(body) or None
    if answer.error is not None:
        return "error_event", answer.error
    if reading.reader is not None and not reading.saw_event:
        if not body.strip():
            return "no_tokens", EMPTY
        kind = exchange.content_type or "no content type"
        return "not_sse", f"{kind}: {body[:MAX_DETAIL_CHARS].decode('utf-8', 'replace').strip()[:120]}"
    if not answer.finish_reason:
        return "truncated", UNFINISHED
    if answer.output_tokens == 0 or (answer.output_tokens is None and not answer.token_events):
        return "no_tokens", None
    return None, None
